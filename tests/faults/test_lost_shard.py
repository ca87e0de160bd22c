"""A run with two replay servers, of which the second is killed in the middle."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from experiment import run_dir
from tests.faults.running import UNHURRIED, Running, running_in

pytestmark = pytest.mark.slow

# Seconds after which everybody takes the server for lost, with one look more.
_NOTICED_S = 8.0

# What has to grow without it.
_GROWING = (("learner", "train_step"), ("reverb_server", "env_steps"))


@dataclasses.dataclass(frozen=True)
class Story:
    """What was seen of the run, which has ended by itself.

    Attributes:
      run: The run.
      killed_at: Unix time of the kill.
      back_at: When its successor was heard of first.
      env_steps: Of the run, as last heard of before the kill.
      exit_code: Of the launcher.
    """

    run: Running
    killed_at: float
    back_at: float
    env_steps: int
    exit_code: int

    def between(self, role: str, figure: str) -> list[int]:
        """Values of a figure from when the loss was noticed until the return."""
        return [
            row[figure]
            for row in self.run.rows(role)
            if self.killed_at + _NOTICED_S < row["time"] < self.back_at
            and row.get(figure) is not None
        ]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """From start to end."""
    flags = (
        "--num_replay_servers=2",
        "--num_actors=2",
        "--max_train_steps=6000",
        "--target_return=1000000",
        f"--gin_file={UNHURRIED}",
    )
    with running_in(tmp_path_factory.mktemp("sharded"), *flags) as run:
        run.wait_until_well()
        run.wait(lambda: run.snapshots(shard=1))
        env_steps = run.count("reverb_server", "env_steps") or 0
        killed_at, pid = time.time(), run.kill("replay_shard")
        successor = run.successor("replay_shard", pid)
        successor.suspend()  # It may be back before anybody has told a figure twice.
        run.wait(lambda: _has_gone_on(run, killed_at + _NOTICED_S))
        successor.resume()
        run.wait(lambda: _of_another(run, pid))
        back_at = _of_another(run, pid)[0]["time"]
        exit_code = run.command.wait()
        run.command.assert_nothing_is_left()
        yield Story(run, killed_at, back_at, env_steps, exit_code)


def _has_gone_on(run: Running, since: float) -> bool:
    """Whether both figures that have to grow were told twice since then."""
    return all(
        len([row for row in run.rows(role) if row["time"] > since and figure in row])
        > 1
        for role, figure in _GROWING
    )


def _of_another(run: Running, pid: int) -> list[dict[str, Any]]:
    return [row for row in run.rows("replay_shard") if row["pid"] != pid]


def test_the_run_reaches_its_end(story: Story) -> None:
    """The user is told of the loss in a line."""
    assert story.exit_code == 0, story.run.command.output
    result = json.loads((story.run.folder / run_dir.RESULT).read_text())
    assert (result["status"], result["train_step"]) == ("max_train_steps", 6_000)
    said = story.run.command.output
    assert "replay_shard-1 was ended by SIGKILL" in said
    assert said.count("starting it again") == 1


def test_acting_and_training_go_on_without_it(story: Story) -> None:
    for role, figure in _GROWING:
        values = story.between(role, figure)
        assert values[-1] > values[0], (role, values)
    for name in ("actor-0", "actor-1", "learner"):
        assert story.run.logged(name, "is lost, with its share of the replay")
        assert story.run.logged(name, "has come back")


def test_it_comes_back_with_its_last_snapshot_and_takes_its_share_again(
    story: Story,
) -> None:
    assert story.run.logged("replay_shard-1", "items of the replay table, of train ste")
    rows = story.run.rows("reverb_server")
    apart = [row["shard_env_steps"][0] for row in rows if row["time"] > story.back_at]
    assert apart[-1] > apart[0] > 0
    last = rows[-1]
    assert last["env_steps"] > story.env_steps
    # Each has 8 environments; what one lacks was collected while it was lost.
    assert 0 < 2 * apart[-1] < last["env_steps"]


def test_the_last_snapshot_is_of_both_and_of_the_checkpoint(story: Story) -> None:
    for stored in (
        story.run.snapshots(),
        story.run.snapshots(shard=1),
        story.run.checkpoints(),
    ):
        assert stored[-1] == 6_000
