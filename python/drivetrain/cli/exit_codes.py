"""What the commands return to the shell; argparse itself returns 2 for wrong arguments."""

OK, FAILED, INTERRUPTED = 0, 1, 130
