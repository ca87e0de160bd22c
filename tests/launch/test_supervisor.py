"""launch/supervisor.py: what is started, and how a run ends; with stand-in processes.

That of real processes is in tests/system.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable

import psutil
import pytest

from tests.launch.a_run import CHECKOUT, options, stand_in
from tests.reverb_server.waiting import wait_until

# Supervises stand-ins: their roles and the options come as JSON.
_SUPERVISE = """
import json, sys, time
from pathlib import Path
from experiment import process
from launch import supervisor
from launch.children import Role
from launch.options import Options

roles, options, changes = json.loads(sys.argv[1])
for name, value in changes.items():
    setattr(supervisor, name, value)
supervisor.describe = lambda options, port: [Role(**role) for role in roles]
options = Options(**{**options, "root_dir": Path(options["root_dir"])})
supervised = supervisor.Supervisor(options, 8008, time.time(), print)
stop = process.StopSignal(at_last=supervised.kill)
(options.root_dir / "run.json").touch()  # As the server does once it is up.
outcome = supervised.run(stop)
print(json.dumps([outcome.status, outcome.exit_code, outcome.error]))
"""

# What a stand-in ends as a real role does: in good order, with 128 + the signal.
_UNTIL_TOLD = """
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
_END = """
import pathlib
row = '{"role": "run", "status": "max_train_steps", "train_step": 7}'
with pathlib.Path("run", "metrics.jsonl").open("a") as file:
    file.write(row + chr(10))
"""

_STALL = """
import pathlib, time
row = '{"role": "reverb_server", "task": 0, "stall": "the learner waits"}'
pathlib.Path("run", "metrics.jsonl").write_text(row + chr(10))
time.sleep(0.8)
"""

_FIGURES = """
import pathlib, time
row = '{"role": "learner", "task": 0, "train_step": 42}'
pathlib.Path("run", "metrics.jsonl").write_text(row + chr(10))
time.sleep(0.8)
"""


@dataclasses.dataclass(frozen=True)
class Supervised:
    """A supervisor that runs stand-ins in a process of its own."""

    process: subprocess.Popen[str]
    folder: Path

    def outcome(self) -> tuple[list[Any], list[str]]:
        """Status, exit code and error, and the lines before; nothing is left."""
        output, _ = self.process.communicate(timeout=60)
        *said, last = output.splitlines()
        assert self.processes() == []
        outcome: list[Any] = json.loads(last)
        return outcome, said

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

    def kill(self) -> None:
        """Kills all that is left."""
        self.process.kill()
        for process in self.processes():
            process.kill()

    def wait_for(self, *names: str) -> None:
        """Waits for files in the folder."""
        wait_until(lambda: all((self.folder / name).exists() for name in names))


Supervise = Callable[..., Supervised]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    """Supervises these programs, the first as the server; none outlives its test."""
    (tmp_path / "run").mkdir()
    with contextlib.ExitStack() as stack:

        def start(programs: dict[str, str], **changes: Any) -> Supervised:
            roles: Sequence[dict[str, Any]] = [
                dataclasses.asdict(stand_in(tmp_path, name, body))
                for name, body in programs.items()
            ]
            run = {**dataclasses.asdict(options(tmp_path / "run"))}
            run["root_dir"] = str(run["root_dir"])
            process = subprocess.Popen(
                [sys.executable, "-c", _SUPERVISE, json.dumps([roles, run, changes])],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            supervised = Supervised(process, tmp_path)
            stack.callback(supervised.kill)
            return supervised

        yield start


def test_a_run_has_ended_when_all_but_the_server_have(supervise: Supervise) -> None:
    """The status is the one that was announced; then the server is ended too."""
    run = supervise(
        {
            "a-server": _UNTIL_TOLD,
            "a-learner": _END,
            "actor-0": "import time; time.sleep(0.3)",
        }
    )
    outcome, said = run.outcome()
    assert outcome == ["max_train_steps", 0, None]
    assert (run.folder / "a_server.ended").exists()
    assert (run.folder / "run" / "logs" / "a-server.log").exists()
    assert said in ([], ["the run has ended; last evaluation, checkpoint, videos ..."])


@pytest.mark.parametrize(("code", "exit_code"), [(1, 1), (3, 1), (75, 1), (2, 2)])
def test_a_role_that_fails_ends_the_run(
    code: int, exit_code: int, supervise: Supervise
) -> None:
    """All others are ended; a wrong configuration is told apart by the exit code."""
    run = supervise(
        {
            "a-server": _UNTIL_TOLD,
            "a-learner": _UNTIL_TOLD,
            "actor-0": _UNTIL_TOLD,
            "actor-1": f"print('fatal: it broke')\nraise SystemExit({code})",
        }
    )
    outcome, _ = run.outcome()
    log = run.folder / "run" / "logs" / "actor-1.log"
    assert outcome == [
        "failed",
        exit_code,
        f"actor-1 failed (exit code {code}, log {log}): it broke",
    ]


def test_a_server_that_fails_ends_the_run(supervise: Supervise) -> None:
    """Though nobody waits for it to finish."""
    outcome, _ = supervise(
        {"a-server": "raise SystemExit(4)", "actor-0": _UNTIL_TOLD}
    ).outcome()
    assert outcome[:2] == ["failed", 1]
    assert outcome[2].startswith("a-server failed (exit code 4,")


def test_a_run_that_nobody_ended_has_failed(supervise: Supervise) -> None:
    """Although each process says that it is through."""
    outcome, _ = supervise({"a-server": _UNTIL_TOLD, "actor-0": ""}).outcome()
    assert outcome == ["failed", 1, "all processes ended, but nobody said why"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_and_the_server_last(
    number: signal.Signals, supervise: Supervise
) -> None:
    """The others may need it until they are gone."""
    finish = "def finish(*_):"
    slow = _UNTIL_TOLD.replace(finish, f"{finish}\n    time.sleep(0.5)")
    look = "print(sorted(str(path) for path in pathlib.Path().glob('*.ended')))"
    late = _UNTIL_TOLD.replace(finish, f"{finish}\n    {look}")
    run = supervise({"a-server": late, "a-learner": slow, "actor-0": _UNTIL_TOLD})
    run.wait_for("a_server.started", "a_learner.started", "actor_0.started")
    run.process.send_signal(number)
    outcome, _ = run.outcome()
    assert outcome == ["interrupted", 128 + number, None]
    log = run.folder / "run" / "logs" / "a-server.log"
    assert log.read_text() == "['a_learner.ended', 'actor_0.ended']\n"


def test_a_signal_that_comes_too_late_interrupts_nothing(
    supervise: Supervise,
) -> None:
    """The run has finished already; only the server has not."""
    finish = "def finish(*_):"
    dawdle = "pathlib.Path('ending').touch(); time.sleep(0.5)"
    slow = _UNTIL_TOLD.replace(finish, f"{finish}\n    {dawdle}")
    run = supervise({"a-server": slow, "a-learner": _END})
    run.wait_for("ending")
    run.process.send_signal(signal.SIGTERM)
    outcome, _ = run.outcome()
    assert outcome == ["max_train_steps", 0, None]


def test_a_role_that_does_not_end_after_the_run_is_named(supervise: Supervise) -> None:
    """The run is not waited for without end."""
    run = supervise(
        {
            "a-server": _UNTIL_TOLD,
            "a-learner": _END,
            "an-eval-job": _UNTIL_TOLD,
            "actor-0": "",
        },
        _END_TIMEOUT_S=0.5,
    )
    outcome, said = run.outcome()
    assert outcome[:2] == ["failed", 1]
    assert outcome[2].startswith("an-eval-job did not end")
    assert said == ["the run has ended; last evaluation, checkpoint, videos ..."]


def test_the_progress_is_shown_until_the_run_has_ended(supervise: Supervise) -> None:
    """From the figures in the folder of the run."""
    run = supervise(
        {"a-server": _UNTIL_TOLD, "a-learner": _FIGURES + _END}, _PROGRESS_S=0.1
    )
    outcome, said = run.outcome()
    assert outcome[0] == "max_train_steps"
    assert any("train step 42" in line for line in said)


def test_a_standstill_is_shown_at_once(supervise: Supervise) -> None:
    """Not only with the next line of figures."""
    run = supervise(
        {"a-server": _UNTIL_TOLD, "a-learner": _STALL + _END}, _PROGRESS_S=60
    )
    _, said = run.outcome()
    assert said[1] == "waiting: the learner waits"


def test_nothing_is_left_in_the_folder_of_temporary_files(
    supervise: Supervise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reverb and TensorFlow leave theirs there."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    leave = "import tempfile; print(tempfile.mkdtemp())"
    run = supervise({"a-server": _UNTIL_TOLD, "actor-0": leave})
    run.outcome()
    left = Path((run.folder / "run" / "logs" / "actor-0.log").read_text().strip())
    assert temporary in left.parents
    assert list(temporary.iterdir()) == []
