"""The checks that may crash or hang, run in a process of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from launch.doctor.finding import FAIL, SET_UP, Finding

# Seconds for one check. Importing TensorFlow takes two, but half a minute on a machine
# that is busy or has it on a slow disk.
TIMEOUT_S = 90

# The level of what is not found yet: the check of this name begins.
BEGINS = "begins"

_RUN_MODULE = str(Path(__file__).parents[1] / "run_module.py")


def findings(arguments: Sequence[str]) -> Iterator[Finding]:
    """Lets `launch.doctor.probe` check.

    Args:
      arguments: The doctor's own.

    Yields:
      What it finds, as soon as it is known; last, what ended it if it crashed.
    """
    checked = "start"
    with tempfile.TemporaryFile("w+") as errors, _start(arguments, errors) as process:
        try:
            for finding in _read(process.stdout or ()):
                if finding.level == BEGINS:
                    checked = finding.name
                else:
                    yield finding
        finally:
            process.kill()
        if process.wait():
            yield _how_it_ended(checked, process.returncode, errors)


def _start(arguments: Sequence[str], errors: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, _RUN_MODULE, "launch.doctor.probe", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ},
    )


def _read(lines: IO[str] | Sequence[str]) -> Iterator[Finding]:
    """Findings among what libraries print."""
    for line in lines:
        with contextlib.suppress(ValueError, TypeError):
            yield Finding(*json.loads(line))


def _how_it_ended(name: str, code: int, errors: IO[str]) -> Finding:
    """Why a check did not come to its end, as far as one can tell."""
    if code > 0:
        errors.seek(0)
        last = errors.read().strip().splitlines()[-1:]
        text = f"exit code {code}: {''.join(last)}"
        return Finding(FAIL, name, text, "mend that, and start the doctor again")
    number = signal.Signals(-code)
    remedies = {
        signal.SIGALRM: "see what else runs on this machine, and whether .venv is on a "
        "disk that answers",
        signal.SIGILL: "use a processor with the instructions that TensorFlow is built "
        "for (AVX)",
        signal.SIGKILL: "free memory: the system ends processes when it has none",
    }
    took = f" after {TIMEOUT_S} s" if number == signal.SIGALRM else ""
    return Finding(
        FAIL,
        name,
        f"it was ended by {number.name}{took}",
        remedies.get(
            number,
            "TensorFlow, Reverb and NumPy may not be built for each other: remove "
            f".venv, {SET_UP}",
        ),
    )
