"""`python -m launch.doctor`: a line for each check, and at the end what to mend."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Callable

from experiment import requirements
from experiment.errors import EXIT_FAILED, EXIT_FINISHED
from launch.doctor import host, imports, installation, isolated, network
from launch.doctor import options as options_lib
from launch.doctor.finding import FAIL, OK, WARN, Check, Finding

_COLOURS = {OK: "green", WARN: "yellow", FAIL: "bold red"}


def examine(arguments: list[str]) -> Iterator[Finding]:
    """Checks everything that can be checked with the packages that are there.

    Args:
      arguments: Flags of the doctor.

    Yields:
      What was found, as soon as it is known.
    """
    options = options_lib.read(arguments)
    requirements.is_told = True  # By the check of this name.
    packages = Check("packages", installation.packages).attempt()
    yield from _attempt(_of_the_host())
    yield packages
    yield from _attempt(_of_the_installation(options))
    groups = imports.groups()
    if any(check.is_possible for group in groups for check in group):
        yield from isolated.findings(arguments)


def _of_the_host() -> Iterator[Check]:
    """Those that need the standard library only."""
    yield Check("python", host.python)
    yield Check("system", host.system)
    yield Check("processor", host.processor)
    yield Check("init", host.init)
    yield Check("proxy", network.proxies)
    yield Check("localhost", network.loopback)
    yield Check("ports", network.port_range)
    yield Check("checkout", installation.set_up_space)
    yield Check("variables", installation.variables)
    yield Check("environment", installation.environment)


def _of_the_installation(options: options_lib.Options) -> Iterator[Check]:
    """Those that need small packages."""
    yield Check("port", lambda: network.port(options), ("portpicker",))
    yield Check("ffmpeg", installation.ffmpeg, ("imageio-ffmpeg",))
    needs = ("absl-py", "psutil")
    if all(map(requirements.version, needs)):
        from launch.doctor import storage  # noqa: PLC0415

        yield Check("root_dir", lambda: storage.folder(options))
        yield Check("limits", lambda: storage.limits(options))


def _attempt(checks: Iterable[Check]) -> Iterator[Finding]:
    return (check.attempt() for check in checks if check.is_possible)


def main() -> int:
    """Checks, prints, and says whether a run would work."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Ends it, as after `| head`.
    # A shell lets what it starts in the background ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    show = _printer()
    levels: Counter[str] = Counter()
    for finding in examine(sys.argv[1:]):
        show(finding)
        levels[finding.level] += 1
    verdict = "a run will fail" if levels[FAIL] else "a run can start"
    print(f"{verdict}: {levels[OK]} ok, {levels[WARN]} warn, {levels[FAIL]} fail")
    return EXIT_FAILED if levels[FAIL] else EXIT_FINISHED


def _printer() -> Callable[[Finding], None]:
    """Prints findings; with colours if there is somebody to see them."""
    if sys.stdout.isatty():
        with contextlib.suppress(ImportError):
            from rich.console import Console  # noqa: PLC0415  (it may be missing)
            from rich.text import Text  # noqa: PLC0415

            def show(finding: Finding) -> None:
                line = Text(str(finding))
                line.stylize(_COLOURS[finding.level], 0, len(finding.level))
                console.print(line, soft_wrap=True)

            console = Console()
            return show
    return lambda finding: print(finding, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
