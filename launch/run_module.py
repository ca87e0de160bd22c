"""Runs a package of this checkout as `python -m` does, from any folder.

`python -m actor` would prefer an `actor.py` in the user's folder to ours. Here the
checkout comes first and the user's folder last: their own modules can be imported,
and take the place of none. (`python -P` does half of it, from 3.11 on.)

Usage: python launch/run_module.py PACKAGE [FLAGS]
"""

import gc
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    sys.path.append("")
    del sys.argv[0]
    # Imports make hundreds of thousands of objects and no garbage: looking for some
    # takes a fifth of the start (docs/performance.md). `process.run` enables it.
    gc.disable()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
