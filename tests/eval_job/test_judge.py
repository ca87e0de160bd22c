"""eval_job/judge.py: what is judged, how often, and what is kept of it."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tf_agents.trajectories import time_step as ts

from eval_job import builder
from eval_job.judge import Judge
from experiment import definition
from experiment.settings import Evaluation
from tests.eval_job.conftest import MakeJudge, manifest


def test_the_random_policy_is_judged_once_in_the_life_of_a_run(
    make_judge: MakeJudge,
) -> None:
    """A resumed run has its baseline already."""
    first = make_judge([20.0])
    first.judge.judge_random_policy()
    first.judge.judge_random_policy()
    resumed = make_judge([30.0])
    resumed.judge.judge_random_policy()
    assert [row.average_return for row in first.baseline] == [20.0]
    assert (first.environment.begun, resumed.environment.begun) == (1, 0)
    assert first.rows == []


def test_rows_are_labelled_with_what_they_are_of(make_judge: MakeJudge) -> None:
    """Environment steps are those at the beginning of the evaluation."""
    judged = make_judge([9.0, 30.0, 40.0])
    judged.judge.judge_random_policy()
    row = judged.judge.judge(70)
    judged.judge.judge(150)
    assert judged.rows[0] == row
    assert [(r.train_step, r.env_steps) for r in judged.rows] == [
        (70, 1000),
        (150, 2000),
    ]
    assert [r.average_return for r in judged.rows] == [30.0, 40.0]
    assert [(r.train_step, r.env_steps) for r in judged.baseline] == [(0, 0)]
    assert all(r.episodes == 1 for r in [*judged.rows, *judged.baseline])


def test_the_wall_time_is_that_of_the_run_when_the_evaluation_ended(
    make_judge: MakeJudge,
) -> None:
    """Of this very process, which started the run."""
    judged = make_judge([1.0])
    before = judged.judge._manifest.wall_time_s()
    row = judged.judge.judge(0)
    after = judged.judge._manifest.wall_time_s()
    assert before - 0.001 <= row.wall_time_s <= after + 0.001


def test_the_agent_plays_greedily_and_the_random_policy_does_not(
    make_judge: MakeJudge,
) -> None:
    """In an episode of 100 steps the random policy takes both actions."""
    judged = make_judge([1.0, 2.0], length=100)
    judged.judge.judge_random_policy()
    assert set(judged.environment.actions) == {0, 1}
    judged.environment.actions.clear()
    judged.judge.judge(10)
    observations = np.arange(100, dtype=np.float32)[:, np.newaxis]
    q_values, _ = judged.agent._q_network(observations)
    assert judged.environment.actions == np.argmax(q_values, axis=-1).tolist()


def test_an_agent_that_draws_actions_plays_without_chance(tmp_path: Path) -> None:
    """SAC's policy draws them; what is judged and filmed takes the likeliest."""
    experiment = definition.load_text(
        "gym_environment.name = 'Pendulum-v1'\nExperiment.agent = @sac_agent"
    )
    agent, _ = experiment.make_agent(experiment.environment())
    recorder = builder.recorder(experiment, np.random.SeedSequence(1))
    judge = Judge(
        experiment.environment,
        agent,
        Evaluation(episodes=2),
        manifest(tmp_path),
        tmp_path,
        env_steps=lambda: 0,
        seed=np.random.SeedSequence(0),
        recorder=recorder,
        report=lambda **row: None,
    )
    steps = ts.restart(np.ones([2, 3], np.float32), 2)
    likeliest = agent._actor_network(steps.observation)[0].mode()
    weights = [variable.numpy() for variable in agent.policy.variables()]
    for policy in (judge._greedy, recorder._policy_of(weights)):
        np.testing.assert_allclose(policy.action(steps).action, likeliest, rtol=1e-5)


def test_no_target_is_never_reached(make_judge: MakeJudge) -> None:
    """Nor is anything judged twice for it."""
    judged = make_judge([1e9], target=None)
    assert not judged.judge.reaches_target(judged.judge.judge(100))
    assert len(judged.rows) == 1


def test_a_return_below_the_target_is_not_judged_again(make_judge: MakeJudge) -> None:
    """However close it is."""
    judged = make_judge([99.999], target=100.0)
    assert not judged.judge.reaches_target(judged.judge.judge(100))
    assert len(judged.rows) == 1


@pytest.mark.parametrize(
    ("again", "reached"), [(100.0, True), (101.0, True), (99.875, False)]
)
def test_the_target_must_be_reached_twice(
    again: float, reached: bool, make_judge: MakeJudge
) -> None:
    """By the same weights, on fresh episodes; both evaluations are kept."""
    judged = make_judge([100.0, again], target=100.0)
    row = judged.judge.judge(7)
    assert judged.judge.reaches_target(row) == reached
    assert [(r.train_step, r.average_return) for r in judged.rows] == [
        (7, 100.0),
        (7, again),
    ]
    assert len(set(judged.environment.seeds[-2:])) == 2


def test_untrained_weights_never_reach_the_target(make_judge: MakeJudge) -> None:
    """However lucky they are."""
    judged = make_judge([500.0], target=100.0)
    assert not judged.judge.reaches_target(judged.judge.judge(0))
    assert len(judged.rows) == 1


def test_the_picture_is_drawn_if_there_is_something_to_draw(
    make_judge: MakeJudge, tmp_path: Path
) -> None:
    """A run that failed early has no evaluation."""
    judged = make_judge([1.0, 2.0], target=5.0)
    judged.judge.judge_random_policy()
    judged.judge.draw_returns()
    assert not (tmp_path / "returns.png").exists()
    judged.judge.judge(10)
    judged.judge.draw_returns()
    assert (tmp_path / "returns.png").read_bytes().startswith(b"\x89PNG")


def test_both_policies_are_recorded(make_judge: MakeJudge, tmp_path: Path) -> None:
    """The greedy one as `trained`; TensorBoard has both, at the step judged last."""
    judged = make_judge(itertools.repeat(1.0), picture=(16, 16), length=3)
    judged.judge.judge(70)
    judged.judge.record_videos()
    videos = {path.name: path.stat().st_size for path in tmp_path.glob("videos/*")}
    assert set(videos) == {"trained.mp4", "random.mp4"}
    assert all(size > 500 for size in videos.values())
    events = EventAccumulator(str(tmp_path / "eval")).Reload()
    for name in ("videos/trained", "videos/random"):
        assert [event.step for event in events.Tensors(name)] == [70]


def test_an_environment_without_a_picture_is_no_fault(
    make_judge: MakeJudge, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A line of the log says why there are no videos."""
    judged = make_judge(itertools.repeat(1.0), picture=None)
    judged.judge.record_videos()
    assert "no video trained.mp4" in caplog.text
    assert "no video random.mp4" in caplog.text
    assert not list(tmp_path.glob("videos/*"))


def test_chosen_evaluations_are_recorded(make_judge: MakeJudge, tmp_path: Path) -> None:
    """The first after each multiple of the interval, with the weights judged then."""
    judged = make_judge(itertools.repeat(1.0), picture=(16, 16), video_interval=100)
    for train_step in (0, 60, 130, 190, 210):
        judged.judge.judge(train_step)
        if train_step in (130, 210):
            thread = judged.judge._recorder._thread
            assert thread
            thread.join(60)
    judged.judge.close()
    names = {path.name for path in tmp_path.glob("videos/*")}
    assert names == {"train_step_130.mp4", "train_step_210.mp4"}
