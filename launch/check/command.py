"""The main of `python -m launch.check`."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from experiment import process
from experiment.errors import EXIT_CONFIGURATION, EXIT_FINISHED
from launch import screen
from launch.check import flags
from launch.check.options import Options
from launch.check.show import Title, printer
from launch.doctor.finding import FAIL, OK, WARN, Finding


def main() -> int:
    """Reads the flags, checks, prints, and says whether a run would work."""
    folder = Path(tempfile.mkdtemp(prefix="antiphon-check-"))
    # Ctrl-C ends it at once, wherever the user's code is.
    stop = process.StopSignal(grace_s=0.0)
    stop.at_last = lambda: shutil.rmtree(folder, ignore_errors=True)
    try:
        options = flags.read()
        return _check(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check(options: Options, folder: Path) -> int:
    """Shows each finding as soon as it is known; returns the exit code."""
    show = printer()
    show(f"checking {screen.short(options.gin_file)}, loading the libraries ...")
    levels: Counter[str] = Counter()
    for finding in _findings(options, folder):
        show(finding)
        if isinstance(finding, Finding):
            levels[finding.level] += 1
    counts = f"{levels[OK]} ok, {levels[WARN]} warn, {levels[FAIL]} fail"
    show("")
    if levels[FAIL]:
        show(f"not ready, mend what failed: {counts}")
        return EXIT_CONFIGURATION
    show(f"ready: {counts}")
    return EXIT_FINISHED


def _findings(options: Options, folder: Path) -> Iterator[Title | Finding]:
    """All of them; what libraries say on standard error goes into the folder."""
    with screen.log_to(folder / "check.log"):
        # Needs TensorFlow, which takes seconds to import.
        from launch.check.stages import Stages  # noqa: PLC0415

        yield from Stages(options, folder / "run").findings()
