"""A checkout for the tests of the shell scripts, which takes seconds to set up.

The scripts are the real ones and so is pip; only the lock files name tiny wheels in a
local folder, so that nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


def run(script: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs a script to its end with these variables added to the environment."""
    return subprocess.run(
        [script, *args],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def only_line(ended: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line on stderr of a script that ended with this code."""
    assert ended.returncode == code, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr


class Checkout(NamedTuple):
    """A checkout with its own tiny requirements, which are in a folder of wheels."""

    root: Path
    wheels: Path

    def set_up(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Runs launch/setup.sh to its end."""
        return run(self.root / "launch" / "setup.sh", *args, **self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """Lets pip find the wheels, and nothing else."""
        return {
            "ANTIPHON_PYTHON": sys.executable,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_NO_INDEX": "1",
        }

    def lock(self, name: str, *wheels: Path) -> None:
        """Writes a lock file that holds these wheels."""
        lines = []
        for wheel in wheels:
            project, version = wheel.name.split("-")[:2]
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            lines.append(f"{project}=={version} --hash=sha256:{digest}\n")
        (self.root / name).write_text("".join(lines))

    def installs(self, module: str) -> bool:
        """Whether the environment has a module, whatever the directory is."""
        python = self.root / ".venv" / "bin" / "python"
        return run(python, "-I", "-c", f"import {module}").returncode == 0


def pack(folder: Path, name: str, files: dict[str, str | bytes]) -> Path:
    """Makes a wheel of these files."""
    wheel = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return wheel


def pebble(folder: Path, project: str) -> Path:
    """Makes a wheel with one empty module."""
    info = f"{project}-1.0.dist-info"
    head = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files: dict[str, str | bytes] = {
        f"{project}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n",
        f"{info}/WHEEL": head,
        f"{info}/RECORD": f"{project}.py,,\n",
    }
    return pack(folder, f"{project}-1.0", files)


def packed_setuptools(folder: Path) -> Path:
    """Makes a wheel of the setuptools that runs here: an editable install needs it."""
    installed = importlib.metadata.distribution("setuptools")
    files: dict[str, str | bytes] = {
        str(path): Path(str(path.locate())).read_bytes()
        for path in installed.files or []
        if path.suffix != ".pyc"
    }
    return pack(folder, f"setuptools-{installed.version}", files)


def small_checkout(root: Path, wheels: Path) -> Checkout:
    """Makes a checkout that is ready to be set up."""
    made = Checkout(root, wheels)
    (made.root / "launch").mkdir()
    for name in ("setup.sh", "local.sh", "run_module.py"):
        shutil.copy(ROOT / "launch" / name, made.root / "launch")
    shutil.copy(ROOT / "pyproject.toml", made.root)
    (made.root / "launch" / "__init__.py").touch()
    (made.root / "setup.py").write_text(
        "from setuptools import setup\n"
        "setup(name='small', packages=['launch'], package_dir={'': '.'})\n"
    )
    base = packed_setuptools(made.wheels)
    made.lock("requirements.lock", base)
    made.lock("requirements-test.lock", base, pebble(made.wheels, "testtool"))
    return made
