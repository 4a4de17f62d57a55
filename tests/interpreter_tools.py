"""Code that needs an interpreter of its own."""

import os
import subprocess
import sys
import textwrap


def run(code, **environment):
    """The output of a fresh interpreter that runs `code`."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def installed(module):
    return run(f"import importlib.util as u; print(u.find_spec({module!r}) is not None)") == "True"
