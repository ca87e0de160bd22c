"""Runs the main of one role again and again, in a process that has the libraries.

Importing TensorFlow takes seconds, and a wrong input is told in no time. Takes the name
of the role; reads lines of JSON: its arguments, a folder to run in, a file for the
output, variables of the environment. Answers each by a line with the exit code.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NoReturn

from absl import flags

# Seconds after which the kernel ends a main that waits for something.
TIMEOUT_S = 120


@contextlib.contextmanager
def place(cwd: str, output: str, env: dict[str, str]) -> Iterator[None]:
    """The surroundings that a process of its own would have."""
    file = os.open(output, os.O_CREAT | os.O_WRONLY, 0o600)
    streams = [os.dup(stream) for stream in (1, 2)]
    before, environment = Path.cwd(), dict(os.environ)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.chdir(cwd)
    os.environ.update(env)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(before)
        for stream, saved in zip((1, 2), streams):
            os.dup2(saved, stream)
            os.close(saved)
        os.close(file)


def run(main: Callable[[], int], arguments: list[str]) -> int:
    """Runs a main as its process would; returns the exit code."""
    from experiment import process  # noqa: PLC0415  (after sys.path is set)

    for name in flags.FLAGS:
        flags.FLAGS[name].unparse()
    flags.FLAGS.unparse_flags()
    sys.argv = arguments
    signal.alarm(TIMEOUT_S)
    try:
        process.run(main)
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        signal.alarm(0)
        gc.unfreeze()  # What this main has left is garbage.
    return 0


def leave(status: int) -> NoReturn:
    """Instead of os._exit."""
    raise SystemExit(status)


def main() -> None:
    """Takes orders until there are no more."""
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    sys.path.append("")  # For modules of users, as in launch/run_module.py.
    answers = os.fdopen(os.dup(1), "w")
    role = sys.argv[1]
    name = role if role.endswith("peek") else f"{role}.__main__"
    module: Any = importlib.import_module(name)
    os._exit = leave
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        arguments = order.pop("arguments")
        with place(**order):
            code = run(module.main, arguments)
        print(code, file=answers, flush=True)


if __name__ == "__main__":
    main()
