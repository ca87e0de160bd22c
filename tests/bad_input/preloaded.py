"""Runs mains one after another, each in a fork of a process that has the libraries.

Importing TensorFlow takes seconds, and a wrong input is told in no time. Reads lines of
JSON: arguments as for launch/run_module.py, a folder to run in, a file for the output,
variables of the environment. Answers each by a line with the exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

# All of the heavy imports, but no main: mains define the same flags.
PRELOADED = (
    "actor.builder",
    "eval_job.builder",
    "learner.builder",
    "learner.train",
    "reverb_server.server",
)

# Seconds after which the kernel ends a main that waits for something.
TIMEOUT_S = 60


def run(arguments: list[str], cwd: str, output: str, env: dict[str, str]) -> None:
    """Becomes a main; never returns."""
    signal.alarm(TIMEOUT_S)
    file = os.open(output, os.O_CREAT | os.O_WRONLY, 0o600)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.chdir(cwd)
    os.environ.update(env)
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


def main() -> None:
    """Takes orders until there are no more."""
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    for module in PRELOADED:
        importlib.import_module(module)
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        child = os.fork()
        if not child:
            run(**order)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
