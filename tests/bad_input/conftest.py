"""Commands as fixtures, and mains that start in no time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from tests.reverb_server.conftest import cartpole, serve
from tests.system.commands import launch, role, start

__all__ = ["cartpole", "launch", "role", "serve", "start"]

# Runs a main to its end, which must be that of a wrong configuration; its last line.
Refuse = Callable[..., str]


@pytest.fixture(scope="session")
def preloaded() -> Iterator[subprocess.Popen[str]]:
    """The process of preloaded.py."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("preloaded.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.fixture
def refuse(preloaded: subprocess.Popen[str], tmp_path: Path) -> Refuse:
    """Runs a main in an empty folder."""

    def _refuse(*arguments: str, **env: str) -> str:
        output = tmp_path.with_name(f"{tmp_path.name}-output.txt")
        output.unlink(missing_ok=True)
        order = {
            "arguments": arguments,
            "cwd": str(tmp_path),
            "output": str(output),
            "env": env,
        }
        assert preloaded.stdin
        assert preloaded.stdout
        preloaded.stdin.write(json.dumps(order) + "\n")
        preloaded.stdin.flush()
        code = preloaded.stdout.readline().strip()
        printed = output.read_text(errors="replace")
        assert code == "2", f"ended with {code}:\n{printed}"
        said = [line for line in printed.splitlines() if line.startswith("fatal: ")]
        assert len(said) == 1, printed
        assert printed.endswith(f"{said[0]}\n"), printed
        assert "Traceback" not in printed
        return said[0].removeprefix("fatal: ")

    return _refuse
