"""`launch/local.sh` with many processes: results, exit codes, nothing left behind."""

from __future__ import annotations

import csv
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from experiment.process import GRACE_S
from tests.namespaces import may_isolate
from tests.system.commands import CHECKOUT, TIMEOUT_S, Command

# Small enough for a test, and everything that a long run has.
_SMALL = (
    "--max_train_steps=400",
    "--gin_bindings=Replay.min_size_to_sample = 200",
    "--gin_bindings=Collect.initial_collect_steps = 200",
    "--gin_bindings=Evaluation.interval_train_steps = 200",
)

Launch = Callable[..., Any]

# Loads a SavedModel as a user would, without anything of this project.
_PLAY = """
import sys
from tf_agents.environments import suite_gym
from tf_agents.policies import policy_loader
policy = policy_loader.load(sys.argv[1])
environment = suite_gym.load("CartPole-v1")
step, reward = environment.reset(), 0.0
while not step.is_last():
    step = environment.step(policy.action(step).action)
    reward += float(step.reward)
print("return", reward)
"""


def _result(root_dir: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((root_dir / "result.json").read_text())
    return result


def _is_reached(command: Command) -> bool:
    """Whether somebody outside of a run reaches its server."""
    found = re.search(r"server at port (\d+);", command.output)
    assert found, command.output
    try:
        socket.create_connection(("127.0.0.1", int(found[1])), 5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run with two actors, and with its launcher's output."""
    folder = tmp_path_factory.mktemp("finished")
    script = str(CHECKOUT / "launch" / "local.sh")
    flags = ["--num_actors=2", f"--root_dir={folder / 'run'}", *_SMALL]
    command = Command([script, *flags], folder)
    try:
        assert command.wait() == 0, command.output
        command.assert_nothing_is_left()
    finally:
        command.kill()
    (folder / "stdout.txt").write_text(command.output)
    return folder


def test_result_tells_what_the_run_has_come_to(finished: Path) -> None:
    result = _result(finished / "run")
    assert set(result) == {
        "run_id",
        "status",
        "average_return",
        "best_average_return",
        "random_average_return",
        "train_step",
        "env_steps",
        "wall_time_s",
        "time_to_target_s",
        "num_actors",
        "seed",
        "gin_file",
    }
    assert result["status"] == "max_train_steps"
    assert result["train_step"] == 400
    assert result["env_steps"] >= 200
    assert result["num_actors"] == 2
    assert result["best_average_return"] >= result["average_return"] > 0
    assert 9 <= result["random_average_return"] <= 60


def test_final_weights_are_always_evaluated(finished: Path) -> None:
    with (finished / "run" / "eval" / "returns.csv").open() as file:
        rows = list(csv.DictReader(file))
    steps = [int(row["train_step"]) for row in rows]
    assert steps == sorted(steps)
    assert steps[-1] == 400
    assert all(int(row["episodes"]) == 10 for row in rows)
    wall_times = [float(row["wall_time_s"]) for row in rows]
    assert wall_times == sorted(wall_times)


def test_pictures_and_logs_are_there(finished: Path) -> None:
    run = finished / "run"
    assert (run / "returns.png").read_bytes().startswith(b"\x89PNG")
    for name in ("trained", "random"):
        assert b"ftyp" in (run / "videos" / f"{name}.mp4").read_bytes()[:16]
    assert "max train steps" in (run / "report.html").read_text()
    logs = {path.name for path in (run / "logs").iterdir()}
    roles = {"reverb_server", "learner", "eval_job", "actor-0", "actor-1"}
    assert logs == {f"{role}.log" for role in roles}
    assert "Experiment.agent = @dqn_agent" in (run / "config.gin").read_text()


def test_progress_and_the_end_are_told(finished: Path) -> None:
    output = (finished / "stdout.txt").read_text()
    assert "  env steps " in output
    assert "max train steps, average return" in output


def test_both_actors_and_the_learner_send_figures(finished: Path) -> None:
    lines = (finished / "run" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    heard = {(row["role"], row.get("task", 0)) for row in rows}
    assert {("actor", 0), ("actor", 1), ("learner", 0), ("eval_job", 0)} <= heard
    lags = [row.get("policy_lag") for row in rows if row["role"] == "learner"]
    assert any(lag is not None and lag >= 0 for lag in lags)


def test_exported_policy_plays_in_a_fresh_python(finished: Path) -> None:
    policy = finished / "run" / "policies" / "greedy_policy"
    played = subprocess.run(
        [sys.executable, "-c", _PLAY, str(policy)],
        cwd=finished,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert float(played.stdout.split()[-1]) >= 8


def test_used_folder_is_refused_and_left_alone(finished: Path, launch: Launch) -> None:
    before = (finished / "run" / "result.json").read_bytes()
    command = launch(f"--root_dir={finished / 'run'}")
    assert command.wait() == 2
    assert "--resume" in command.output
    assert (finished / "run" / "result.json").read_bytes() == before


# Where it can be, one run is isolated from the network: all else is the same.
_ISOLATE = ["--isolate"] if may_isolate() else []


@pytest.mark.parametrize(
    ("number", "flags"), [(signal.SIGINT, []), (signal.SIGTERM, _ISOLATE)]
)
def test_signal_ends_everything_in_seconds(
    number: signal.Signals, flags: list[str], launch: Launch, tmp_path: Path
) -> None:
    command = launch("--root_dir=run", *_SMALL, "--max_train_steps=1000000", *flags)
    command.wait_until(
        lambda: bool(re.search(r"train step [1-9].*best", command.output)),
        timeout_s=TIMEOUT_S,
    )
    assert _is_reached(command) == (not flags)
    assert ("isolated: nobody" in command.output) == bool(flags)
    command.send(number)
    assert command.wait(4 * GRACE_S + 20) == 128 + number
    command.assert_nothing_is_left(timeout_s=1)
    assert _result(tmp_path / "run")["status"] == "interrupted"
    assert list((tmp_path / "run" / "train" / "checkpoints").glob("ckpt-*.index"))


def test_run_goes_on_from_its_checkpoint(launch: Launch, tmp_path: Path) -> None:
    command = launch("--root_dir=run", *_SMALL)
    assert command.wait() == 0
    command = launch("--root_dir=run", "--resume", *_SMALL, "--max_train_steps=600")
    assert command.wait() == 0
    command.assert_nothing_is_left()
    with (tmp_path / "run" / "eval" / "returns.csv").open() as file:
        steps = [int(row["train_step"]) for row in csv.DictReader(file)]
    assert steps[-1] == 600
    # The second part did not start from nothing.
    assert 400 in steps
    assert steps == sorted(steps)
