"""What this machine must have, checked before anything that may be missing is imported.

Only the standard library is imported here. The packages of the processes call
`require` from their `__init__.py`, which Python runs first: `python -m actor` on a bare
host says what to install, instead of which module it did not find.
"""

from __future__ import annotations

import importlib.metadata
import platform
import sys

from experiment.errors import EXIT_CONFIGURATION, FATAL_MARK, ConfigurationError

# As in setup.py, where the reasons are.
_PYTHONS = ((3, 9), (3, 12))

# Beginnings of the versions that fit together: each is built against the others.
RELEASES = {
    "tensorflow": "2.15.",
    "tf-agents": "0.19.",
    "dm-reverb": "0.14.",
    "numpy": "1.",
}


# Set by the doctor, which tells what does not fit, and goes on to what it leads to.
is_told = False


def require() -> None:
    """Ends the process with one line and the exit code of `check`'s error, if any."""
    if is_told:
        return
    try:
        check()
    except ConfigurationError as error:
        print(f"{FATAL_MARK}{error}", file=sys.stderr)
        sys.exit(EXIT_CONFIGURATION)


def check() -> None:
    """Compares machine, Python and packages with what the project is made for.

    Raises:
      ConfigurationError: They do not fit.
    """
    check_machine()
    check_packages()


def check_machine() -> None:
    """Compares the machine and its Python with those that there are wheels for.

    Raises:
      ConfigurationError: They do not fit.
    """
    machine = f"{platform.system()} {platform.machine()}"
    first, end = _PYTHONS
    if machine != "Linux x86_64" or not first <= sys.version_info[:2] < end:
        raise ConfigurationError(
            "Antiphon needs Linux x86-64 and Python 3.9, 3.10 or 3.11, because "
            f"dm-reverb has wheels for these only; found {machine}, Python "
            f"{platform.python_version()}."
        )


def check_packages() -> None:
    """Compares the installed packages with the releases that fit together.

    Raises:
      ConfigurationError: They do not fit.
    """
    found = {name: version(name) for name in RELEASES}
    wrong = [
        f"{name} {found[name] or 'is missing'} ({release}* is needed)"
        for name, release in RELEASES.items()
        if not found[name].startswith(release)
    ]
    if wrong:
        raise ConfigurationError(
            f"{sys.executable} lacks packages that fit together: {', '.join(wrong)}; "
            "run launch/setup.sh, and use the Python of .venv."
        )


def version(name: str) -> str:
    """Of an installed package; empty if there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
