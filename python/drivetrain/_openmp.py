"""Imports the compiled core, and with it libgomp, which reads its environment at that moment only.

By default libgomp's threads spin for milliseconds at a barrier, on the very core that the thread they wait
for may need: beside other busy processes a step then takes ten times as long. A short wait costs nothing on a
quiet machine. Whoever sets one of the two variables has decided otherwise; the environment is left as it was.
"""

import os

_SPIN, _POLICY = "GOMP_SPINCOUNT", "OMP_WAIT_POLICY"

_decided = _SPIN in os.environ or _POLICY in os.environ
if not _decided:
    os.environ[_SPIN] = "3000"
try:
    from . import _core as _core
finally:
    if not _decided:
        del os.environ[_SPIN]
