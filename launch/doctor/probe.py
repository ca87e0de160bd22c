"""`python -m launch.doctor.probe`: the doctor's checks that need TensorFlow.

Prints a line of JSON when a check begins, and one when it has ended; the process may
crash in between. Each check has a deadline, by a signal that ends the process.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator

from experiment import requirements
from launch.doctor import imports, isolated
from launch.doctor import options as options_lib
from launch.doctor.finding import FAIL, Check, Finding


def main() -> None:
    """Checks; what builds on a check that failed is left out."""
    options = options_lib.read(sys.argv[1:])
    requirements.is_told = True  # By the process that has started this one.
    imported = [_run(group) for group in imports.groups()]
    gc.enable()  # launch/run_module.py has turned it off.
    antiphon = Check("antiphon", lambda: imports.check("antiphon"))
    if all(imported) and _run([antiphon]):
        for group in _groups(options):
            _run(group)
    os._exit(0)  # Whatever threads of libraries still do.


def _run(checks: Iterable[Check]) -> bool:
    """Checks until one fails or cannot be made; returns whether none did."""
    for check in checks:
        if not check.is_possible:
            return False
        signal.alarm(isolated.TIMEOUT_S)
        _tell(Finding(isolated.BEGINS, check.name, ""))
        finding = check.attempt()
        _tell(finding)
        if finding.level == FAIL:
            return False
    return True


def _tell(finding: Finding) -> None:
    print(f"\n{json.dumps(finding)}", flush=True)


def _groups(options: options_lib.Options) -> Iterator[Iterable[Check]]:
    """Checks of which each builds on those before in its group."""
    # They need what was looked for just now.
    from launch.doctor import gpu, preset, served  # noqa: PLC0415

    yield [Check("gpu", lambda: gpu.check(options))]
    yield preset.checks(options)
    if options.server_address:
        # The last, since it makes gin forget the preset.
        yield served.checks(options.server_address)


if __name__ == "__main__":
    main()
