"""launch/in_process.py: what the user sees of it, while nothing else can draw."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiment.errors import DivergedError
from launch import command, in_process, screen
from launch.in_process import InProcessRun
from launch.plain_view import QuietView
from launch.result import Outcome
from launch.state import Life, RunState
from tests.launch.a_run import options
from tests.reverb_server.run_for_tests import StopByHand

BINDINGS = [
    "q_network.layers = (8,)",
    "Replay.min_size_to_sample = 16",
    "Collect.initial_collect_steps = 16",
    "Evaluation.episodes = 1",
    "Evaluation.target_return = None",
    "gym_environment.max_episode_steps = 30",
]


class Shown(QuietView):
    """Remembers what it was told to show, in order."""

    interval_s = 0.0

    def __init__(self) -> None:
        self.said: list[str] = []
        self.headlines: list[str] = []
        self.last: RunState | None = None

    def say(self, line: str) -> None:
        """A line of its own."""
        self.said.append(line)

    def show(self, state: RunState) -> None:
        """What the run does then."""
        self.headlines.append(state.headline)

    def show_last(self, state: RunState) -> None:
        """What has become of it."""
        self.last = state


def run(folder: Path, view: Shown) -> Outcome:
    """A run of a few updates, as the launcher makes one."""
    bindings = [*BINDINGS, "Train.max_train_steps = 4"]
    started_with = options(
        folder, num_actors=1, gin_bindings=bindings, seed=0, in_process=True
    )
    return command._run_in_process(started_with, StopByHand(), view)


@pytest.fixture(autouse=True)
def any_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process have used TensorFlow before."""
    monkeypatch.setattr("experiment.devices.use_one_cpu_thread", lambda: None)


@pytest.fixture
def stopped_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """No videos: they take seconds."""
    monkeypatch.setattr("eval_job.judge.Judge.record_videos", lambda _: None)


@pytest.mark.usefixtures("stopped_recording")
def test_a_run_is_shown_from_its_first_moment_to_its_end(tmp_path: Path) -> None:
    """Greeted before anything is loaded, drawn before anything is built."""
    view = Shown()
    assert run(tmp_path, view) == Outcome("max_train_steps", 0)
    greeting, who_gets_in, loading, end = view.said
    assert "all roles in one process" in greeting
    assert who_gets_in.startswith("open to others: ")
    assert loading == "loading the libraries ..."
    assert end == screen.ENDED
    assert view.headlines[0].startswith("starting")
    assert view.last
    assert view.last.headline == "all processes have ended"
    assert view.last.progress.figure("learner", "train_step") == 4
    assert len(view.last.progress.returns) == 2


def test_a_run_that_fails_is_told_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it has its result and its report; the last picture says that it failed."""

    def diverge(_: InProcessRun) -> None:
        raise DivergedError("the loss is nan", 3)

    monkeypatch.setattr(in_process.InProcessRun, "take_turn", diverge)
    view = Shown()
    outcome = run(tmp_path, view)
    assert (outcome.status, outcome.exit_code) == ("failed", 2)
    assert outcome.error
    assert outcome.error.startswith("the loss is nan at train step 3")
    assert view.last
    assert {each.life for each in view.last.processes} == {Life.FAILED}
