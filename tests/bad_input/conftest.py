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


class Preloaded:
    """Processes of preloaded.py, one for each role that is asked for."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def run(self, role: str, order: dict[str, object]) -> str:
        """Runs the main of a role; returns what it answers, the exit code."""
        process = self._processes.get(role)
        if process is None or process.poll() is not None:
            script = str(Path(__file__).with_name("preloaded.py"))
            process = self._processes[role] = subprocess.Popen(
                [sys.executable, script, role],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    def close(self) -> None:
        """Ends them."""
        for process in self._processes.values():
            process.kill()
            process.communicate()


@pytest.fixture(scope="session")
def preloaded() -> Iterator[Preloaded]:
    """They live as long as the tests."""
    made = Preloaded()
    yield made
    made.close()


@pytest.fixture
def refuse(preloaded: Preloaded, tmp_path: Path) -> Refuse:
    """Runs a main in an empty folder."""

    def _refuse(*arguments: str, **env: str) -> str:
        output = tmp_path.with_name(f"{tmp_path.name}-output.txt")
        output.unlink(missing_ok=True)
        order: dict[str, object] = {
            "arguments": arguments,
            "cwd": str(tmp_path),
            "output": str(output),
            "env": env,
        }
        code = preloaded.run(arguments[0], order)
        printed = output.read_text(errors="replace")
        assert code == "2", f"ended with {code}:\n{printed}"
        said = [line for line in printed.splitlines() if line.startswith("fatal: ")]
        assert len(said) == 1, printed
        assert printed.endswith(f"{said[0]}\n"), printed
        assert "Traceback" not in printed
        return said[0].removeprefix("fatal: ")

    return _refuse
