"""eval_job/recorder.py: videos beside the evaluations."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tf_agents.environments import py_environment

from eval_job import builder, recorder
from eval_job.recorder import Recorder
from experiment.definition import Experiment
from experiment.settings import Replay
from tests.eval_job.scripted_environment import ScriptedEnvironment
from tests.eval_job.test_video import read
from tests.reverb_server.waiting import wait_until


def scripted(length: int, picture: tuple[int, int] | None = (16, 16)) -> Experiment:
    """Episodes of so many steps, one environment for all."""

    def make() -> py_environment.PyEnvironment:
        return ScriptedEnvironment(itertools.repeat([0.0] * length), picture)

    return Experiment(environment=make, replay=Replay(samples_per_insert=None))


@pytest.fixture
def closing() -> Iterator[list[Recorder]]:
    """Recorders to be closed with the test."""
    recorders: list[Recorder] = []
    yield recorders
    for each in recorders:
        each.close()


def make(experiment: Experiment, closing: list[Recorder]) -> Recorder:
    made = builder.recorder(experiment, np.random.SeedSequence(0))
    closing.append(made)
    return made


def weights(experiment: Experiment) -> list[np.ndarray]:
    agent, _ = experiment.make_agent(experiment.environment())
    return [variable.numpy() for variable in agent.policy.variables()]


def test_one_whole_episode_is_recorded(tmp_path: Path, closing: list[Recorder]) -> None:
    experiment, path = scripted(4), tmp_path / "videos" / "train_step_7.mp4"
    recorded = threading.Event()
    made = make(experiment, closing)
    assert made.start(path, weights(experiment), recorded.set)
    wait_until(recorded.is_set)
    assert len(read(path).pictures) == 5


def nothing() -> None:
    """What comes after a video that nobody waits for."""


def test_a_second_one_is_refused_until_the_first_is_done(
    tmp_path: Path, closing: list[Recorder]
) -> None:
    experiment = scripted(20)
    made = make(experiment, closing)
    with made.standing_still():
        assert made.start(tmp_path / "a.mp4", weights(experiment), nothing)
        assert not made.start(tmp_path / "b.mp4", weights(experiment), nothing)
    wait_until((tmp_path / "a.mp4").exists)
    second = tmp_path / "b.mp4"
    wait_until(lambda: made.start(second, weights(experiment), nothing))
    wait_until(second.exists)


class Watched(ScriptedEnvironment):
    """Says when it is drawn, and can be held up at it."""

    def __init__(self) -> None:
        super().__init__(itertools.repeat([0.0] * 10_000), (16, 16))
        self.drawn = threading.Event()
        self.may_be_drawn = threading.Event()
        self.may_be_drawn.set()

    def render(self, mode: str = "rgb_array") -> np.ndarray:
        """As the environment that it is."""
        self.drawn.set()
        self.may_be_drawn.wait(60)
        return super().render(mode)


def watched(environment: Watched) -> Experiment:
    """All of its environments are this one."""
    return Experiment(
        environment=lambda: environment, replay=Replay(samples_per_insert=None)
    )


def test_it_stands_still_while_an_evaluation_plays(
    tmp_path: Path, closing: list[Recorder]
) -> None:
    """The frame that it is at may come to its end, and no other begins."""
    environment = Watched()
    experiment = watched(environment)
    made = make(experiment, closing)
    made.start(tmp_path / "a.mp4", weights(experiment), nothing)
    wait_until(environment.drawn.is_set)
    with made.standing_still():
        environment.drawn.clear()
        environment.drawn.wait(0.3)
        environment.drawn.clear()
        assert not environment.drawn.wait(0.5)
    assert environment.drawn.wait(60)


def test_nobody_waits_for_an_environment_that_hangs(
    tmp_path: Path,
    closing: list[Recorder],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither an evaluation nor the end of the run."""
    monkeypatch.setattr(recorder, "_CLOSE_TIMEOUT_S", 0.2)
    environment = Watched()
    environment.may_be_drawn.clear()
    experiment = watched(environment)
    made = make(experiment, closing)
    made.start(tmp_path / "a.mp4", weights(experiment), nothing)
    wait_until(environment.drawn.is_set)
    with made.standing_still():
        pass
    made.close()
    assert "its environment does not come back" in caplog.text
    environment.may_be_drawn.set()


def test_closing_leaves_no_half_video(tmp_path: Path, closing: list[Recorder]) -> None:
    experiment = scripted(10_000)
    made = make(experiment, closing)
    made.start(tmp_path / "a.mp4", weights(experiment), nothing)
    wait_until(lambda: any(tmp_path.iterdir()))
    start = time.monotonic()
    made.close()
    assert time.monotonic() - start < 5
    assert not list(tmp_path.iterdir())


def test_a_video_is_a_minute_long_at_most(
    tmp_path: Path, closing: list[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_MOST_FRAMES", 6)
    experiment, path = scripted(10_000), tmp_path / "a.mp4"
    make(experiment, closing).start(path, weights(experiment), nothing)
    wait_until(path.exists)
    assert len(read(path).pictures) == 6


def test_no_picture_is_no_reason_to_fail(
    tmp_path: Path, closing: list[Recorder], caplog: pytest.LogCaptureFixture
) -> None:
    experiment = scripted(4, picture=None)
    make(experiment, closing).start(tmp_path / "a.mp4", weights(experiment), nothing)
    wait_until(lambda: "no video a.mp4" in caplog.text)
    assert not list(tmp_path.iterdir())


def test_an_environment_that_fails_is_no_reason_to_fail(
    tmp_path: Path, closing: list[Recorder], caplog: pytest.LogCaptureFixture
) -> None:
    """Not even at being made."""

    def fail() -> py_environment.PyEnvironment:
        raise RuntimeError("no environment today")

    experiment = scripted(4)
    made = Recorder(fail, lambda: None, np.random.SeedSequence(0))
    closing.append(made)
    made.start(tmp_path / "a.mp4", weights(experiment), nothing)
    wait_until(lambda: "no environment today" in caplog.text)
    made.close()
