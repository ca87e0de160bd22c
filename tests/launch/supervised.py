"""Supervisors that run stand-ins, each in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.launch.a_run import CHECKOUT, options, stand_in
from tests.reverb_server.waiting import wait_until

# Supervises stand-ins: their roles and the options come as JSON.
_SUPERVISE = """
import json, sys
from pathlib import Path
from experiment import process
from launch import failures, restarts, supervisor
from launch import roles as roles_lib
from launch.children import starting_here
from launch.options import Options
from launch.plain_view import PlainView
from launch.role import Role

roles, options, changes = json.loads(sys.argv[1])
for name, value in changes.items():
    homes = (failures, restarts, supervisor, PlainView)
    [home] = [each for each in homes if hasattr(each, name)]
    setattr(home, name, value)
roles_lib.describe = lambda *_: [Role(**role) for role in roles]
options = Options(**{**options, "root_dir": Path(options["root_dir"])})

stop = process.StopSignal()
with starting_here(options.root_dir / "logs") as start:
    supervised = supervisor.Supervisor(options, "localhost:8008", start, PlainView())
    stop.at_last = supervised.kill
    outcome = supervised.run(stop)
print(json.dumps([outcome.status, outcome.exit_code, outcome.error]))
"""

# What a stand-in ends as a real role does: in good order, with 128 + the signal.
UNTIL_TOLD = """
import pathlib, signal, sys, time
def finish(*_):
    pathlib.Path(f"{pathlib.Path(__file__).stem}.ended").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, finish)
pathlib.Path(f"{pathlib.Path(__file__).stem}.started").touch()
while True:
    time.sleep(60)
"""

# Announces the end of the run where the launcher looks for it.
END = """
import pathlib
row = '{"role": "run", "status": "max_train_steps", "train_step": 7}'
with pathlib.Path("run", "metrics.jsonl").open("a") as file:
    file.write(row + chr(10))
"""


@dataclasses.dataclass(frozen=True)
class Supervised:
    """A supervisor that runs stand-ins in a process of its own."""

    process: subprocess.Popen[bytes]
    folder: Path

    @classmethod
    def start(
        cls,
        folder: Path,
        programs: Mapping[str, str],
        spare: Collection[str] = (),
        max_restarts: int = 5,
        shards: int = 0,
        **changes: Any,
    ) -> Supervised:
        """Supervises programs.

        Args:
          folder: Where they run.
          programs: By the names of their roles, the server's first.
          spare: Roles that the run can end without.
          max_restarts: As the user asked for.
          shards: Programs that are further replay servers, next to the server.
          **changes: Of constants, so that a test need not wait.

        Returns:
          The supervisor, started.
        """
        roles = [
            dataclasses.replace(
                stand_in(folder, name, body),
                is_spare=name in spare,
                restart_arguments=["--again"],
                serves=number <= shards,
            )
            for number, (name, body) in enumerate(programs.items())
        ]
        run = dataclasses.asdict(options(folder / "run", max_restarts=max_restarts))
        run["root_dir"] = str(run["root_dir"])
        everything = [[dataclasses.asdict(role) for role in roles], run, changes]
        with (folder / "output.txt").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", _SUPERVISE, json.dumps(everything)],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
                stdout=output,
            )
        return cls(process, folder)

    @property
    def said(self) -> list[str]:
        """The lines it has shown so far."""
        return (self.folder / "output.txt").read_text().splitlines()

    def outcome(self) -> tuple[list[Any], list[str]]:
        """Status, exit code and error, and the lines before; nothing is left."""
        self.process.wait(timeout=60)
        *said, last = self.said
        assert self.processes() == []
        outcome: list[Any] = json.loads(last)
        return outcome, said

    def log(self, name: str) -> Path:
        """The log of a role."""
        return self.folder / "run" / "logs" / f"{name}.log"

    def processes(self) -> list[psutil.Process]:
        """What runs in the folder, without the supervisor."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.cwd() == str(self.folder) and process.pid not in {
                    os.getpid(),
                    self.process.pid,
                }:
                    found.append(process)
        return found

    def process_of(self, role: str) -> psutil.Process:
        """The process of a role."""
        module = role.replace("-", "_")
        [found] = [one for one in self.processes() if module in one.cmdline()]
        return found

    def kill(self) -> None:
        """Kills all that is left."""
        self.process.kill()
        for process in self.processes():
            process.kill()
        self.process.wait()

    def wait_for(self, *names: str) -> None:
        """Waits for files in the folder."""
        wait_until(lambda: all((self.folder / name).exists() for name in names))
