"""reverb_server/replay_writer.py: what of a step is stored, and beside which."""

from __future__ import annotations

import dataclasses

import numpy as np
from tf_agents.trajectories import StepType

from experiment.settings import Replay
from reverb_server import tables
from reverb_server.replay_layout import ReplayLayout, replay_layout
from reverb_server.replay_writer import ReplayWriter
from tests.reverb_server.conftest import Built, Serve
from tests.reverb_server.episodes import batches, experience, queue, take, windows
from tests.reverb_server.waiting import wait_until


def layout_of(cartpole: Built, sequence_length: int) -> ReplayLayout:
    """CartPole's, with one window in an item."""
    codec = replay_layout(cartpole.agent, Replay(transitions_per_item=1)).codec
    return ReplayLayout(codec, sequence_length, windows_per_item=1)


def test_no_window_goes_on_after_the_end_of_an_episode_that_is_not_begun_anew(
    serve: Serve, cartpole: Built
) -> None:
    """A batch of the user's own that forgets the first step after a time limit."""
    layout = layout_of(cartpole, 3)
    served = serve([queue(layout)])
    writer = ReplayWriter(served.client, layout, 1, lambda: True)
    rounds = experience([[103, 3]])
    rounds[3] = [rounds[3][0]._replace(next_step_type=StepType.MID)]
    rounds[4] = [rounds[4][0]._replace(step_type=StepType.MID)]
    for steps in batches(rounds):
        writer(steps)
    expected = windows(experience([[103, 3]]), 3)
    wait_until(lambda: served.info(tables.REPLAY).current_size == len(expected))
    taken = take(served.client, layout, len(expected))
    episodes = [np.unique(steps.trajectory.observation[:, 1]) for steps in taken]
    assert [len(each) for each in episodes] == [1] * len(expected)


def test_clipped_rewards_are_signs_in_what_is_stored(
    serve: Serve, cartpole: Built
) -> None:
    """The steps that were handed over keep theirs."""
    layout = dataclasses.replace(layout_of(cartpole, 2), clips_rewards=True)
    served = serve([queue(layout)])
    writer = ReplayWriter(served.client, layout, 1, lambda: True)
    given = list(batches(experience([[3, 3]])))
    for steps in given:
        steps.reward[:] = 10 * (steps.reward - 1.5)
        writer(steps)
    wait_until(lambda: served.info(tables.REPLAY).current_size == 6)
    taken = take(served.client, layout, 3)
    assert [each.trajectory.reward[0] for each in taken] == [-1.0, 0.0, 1.0]
    assert [each.reward[0] for each in given[:3]] == [-10.0, 0.0, 10.0]
