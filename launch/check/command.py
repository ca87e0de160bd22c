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

# In a temporary folder; the log stays if something failed.
_RUN, _LOG = "run", "check.log"


def main() -> int:
    """Reads the flags, checks, prints, and says whether a run would work."""
    folder = Path(tempfile.mkdtemp(prefix="antiphon-check-"))
    # Ctrl-C ends it at once, wherever the user's code is.
    stop = process.StopSignal(grace_s=0.0)
    stop.at_last = lambda: shutil.rmtree(folder, ignore_errors=True)
    failed = False
    try:
        failed = _check(flags.read(), folder)
    finally:
        shutil.rmtree(folder / _RUN if failed else folder, ignore_errors=True)
    return EXIT_CONFIGURATION if failed else EXIT_FINISHED


def _check(options: Options, folder: Path) -> bool:
    """Shows each finding as soon as it is known; returns whether something failed."""
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
        show(f"what libraries said, and where code raised: {folder / _LOG}")
        show(f"not ready, mend what failed: {counts}")
    else:
        show(f"ready: {counts}")
    return levels[FAIL] > 0


def _findings(options: Options, folder: Path) -> Iterator[Title | Finding]:
    """All of them; what libraries say on standard error goes into the folder."""
    with screen.log_to(folder / _LOG):
        # Needs TensorFlow, which takes seconds to import.
        from launch.check.stages import Stages  # noqa: PLC0415

        yield from Stages(options, folder / _RUN).findings()
