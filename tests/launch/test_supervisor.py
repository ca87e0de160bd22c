"""launch/supervisor.py: what is started, and how a run ends; with stand-in processes.

That of real processes is in tests/faults; what is started again, in
test_supervisor_restarts.py.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.launch.conftest import Supervise
from tests.launch.supervised import END, UNTIL_TOLD
from tests.reverb_server.waiting import wait_until

# Waits for the test to have seen what it wants to see, then ends the run.
_END_WHEN_SEEN = (
    """
import pathlib, time
while not pathlib.Path("seen").exists():
    time.sleep(0.02)
"""
    + END
)

_STALL = """
import pathlib
row = '{"role": "reverb_server", "task": 0, "stall": "the learner waits"}'
pathlib.Path("run", "metrics.jsonl").write_text(row + chr(10))
"""

_FIGURES = """
import pathlib
row = '{"role": "learner", "task": 0, "train_step": 42, "device": "2 GPUs (A, B)"}'
pathlib.Path("run", "metrics.jsonl").write_text(row + chr(10))
"""


def test_a_run_has_ended_when_all_but_the_server_have(supervise: Supervise) -> None:
    """The status is the one that was announced; then the server is ended too."""
    run = supervise(
        {
            "a-server": UNTIL_TOLD,
            "a-learner": END,
            "actor-0": "import time; time.sleep(0.3)",
        }
    )
    outcome, said = run.outcome()
    assert outcome == ["max_train_steps", 0, None]
    assert (run.folder / "a_server.ended").exists()
    assert run.log("a-server").exists()
    assert said in ([], ["the run has ended; last evaluation, checkpoint, videos ..."])


@pytest.mark.parametrize(("code", "exit_code"), [(1, 1), (3, 1), (75, 1), (2, 2)])
def test_a_role_that_fails_and_is_not_restarted_ends_the_run(
    code: int, exit_code: int, supervise: Supervise
) -> None:
    """All others are ended; a wrong configuration is told apart by the exit code."""
    run = supervise(
        {
            "a-server": UNTIL_TOLD,
            "a-learner": UNTIL_TOLD,
            "actor-0": UNTIL_TOLD,
            "actor-1": f"print('fatal: it broke')\nraise SystemExit({code})",
        },
        spare={"actor-0", "actor-1"},
        max_restarts=5 if code == 2 else 0,
    )
    outcome, said = run.outcome()
    assert outcome == [
        "failed",
        exit_code,
        f"actor-1 failed (exit code {code}, log {run.log('actor-1')}): it broke",
    ]
    assert said == []


def test_a_server_that_fails_ends_the_run(supervise: Supervise) -> None:
    """Though nobody waits for it to finish."""
    outcome, _ = supervise(
        {"a-server": "raise SystemExit(4)", "actor-0": UNTIL_TOLD}, max_restarts=0
    ).outcome()
    assert outcome[:2] == ["failed", 1]
    assert outcome[2].startswith("a-server failed (exit code 4,")


def test_further_replay_servers_are_told_to_end_after_the_learner(
    supervise: Supervise,
) -> None:
    """Which stores what they have; nobody waits for them to end by themselves."""
    shard = UNTIL_TOLD.replace(
        "def finish(*_):",
        "def finish(*_):\n    assert pathlib.Path('a_learner.ended').exists()",
    )
    run = supervise(
        {"a-server": UNTIL_TOLD, "a-shard": shard, "a-learner": UNTIL_TOLD}, shards=1
    )
    names = ("a_server", "a_shard", "a_learner")
    wait_until(lambda: all((run.folder / f"{n}.started").exists() for n in names))
    run.process.send_signal(signal.SIGTERM)
    outcome, _ = run.outcome()
    assert outcome[0] == "interrupted"
    assert (run.folder / "a_shard.ended").exists()


def test_a_run_that_nobody_ended_has_failed(supervise: Supervise) -> None:
    """Although each process says that it is through."""
    outcome, _ = supervise({"a-server": UNTIL_TOLD, "actor-0": ""}).outcome()
    assert outcome == ["failed", 1, "all processes ended, but nobody said why"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_and_the_server_last(
    number: signal.Signals, supervise: Supervise
) -> None:
    """The others may need it until they are gone."""
    finish = "def finish(*_):"
    slow = UNTIL_TOLD.replace(finish, f"{finish}\n    time.sleep(0.5)")
    look = "print(sorted(str(path) for path in pathlib.Path().glob('*.ended')))"
    late = UNTIL_TOLD.replace(finish, f"{finish}\n    {look}")
    run = supervise({"a-server": late, "a-learner": slow, "actor-0": UNTIL_TOLD})
    run.wait_for("a_server.started", "a_learner.started", "actor_0.started")
    run.process.send_signal(number)
    outcome, _ = run.outcome()
    assert outcome == ["interrupted", 128 + number, None]
    log = run.log("a-server")
    assert log.read_text() == "['a_learner.ended', 'actor_0.ended']\n"


def test_a_signal_that_comes_too_late_interrupts_nothing(
    supervise: Supervise,
) -> None:
    """The run has finished already; only the server has not."""
    finish = "def finish(*_):"
    dawdle = "pathlib.Path('ending').touch(); time.sleep(0.5)"
    slow = UNTIL_TOLD.replace(finish, f"{finish}\n    {dawdle}")
    run = supervise({"a-server": slow, "a-learner": END})
    run.wait_for("ending")
    run.process.send_signal(signal.SIGTERM)
    outcome, _ = run.outcome()
    assert outcome == ["max_train_steps", 0, None]


def test_a_role_that_does_not_end_after_the_run_is_named(supervise: Supervise) -> None:
    """The run is not waited for without end."""
    run = supervise(
        {
            "a-server": UNTIL_TOLD,
            "a-learner": END,
            "an-eval-job": UNTIL_TOLD,
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
        {"a-server": UNTIL_TOLD, "a-learner": _FIGURES + _END_WHEN_SEEN},
        interval_s=0.1,
    )
    wait_until(lambda: any("train step 42" in line for line in run.said))
    (run.folder / "seen").touch()
    outcome, said = run.outcome()
    assert said.count("the learner trains on 2 GPUs (A, B)") == 1
    assert outcome[0] == "max_train_steps"


def test_a_standstill_is_shown_at_once(supervise: Supervise) -> None:
    """Not only with the next line of figures."""
    run = supervise(
        {"a-server": UNTIL_TOLD, "a-learner": _STALL + _END_WHEN_SEEN}, interval_s=60
    )
    wait_until(lambda: run.said)
    (run.folder / "seen").touch()
    _, said = run.outcome()
    assert said[0] == "waiting: the learner waits"


def test_nothing_is_left_in_the_folder_of_temporary_files(
    supervise: Supervise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reverb and TensorFlow leave theirs there."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    leave = "import tempfile; print(tempfile.mkdtemp())"
    run = supervise({"a-server": UNTIL_TOLD, "actor-0": leave})
    run.outcome()
    left = Path(run.log("actor-0").read_text().strip())
    assert temporary in left.parents
    assert list(temporary.iterdir()) == []
