"""actor/collector.py: every step, read back from a real replay table."""

from __future__ import annotations

import collections
import math

import numpy as np
import pytest

from actor.collector import random_share
from reverb_server.replay_layout import RANDOM_POLICY
from tests.actor.acting import COLLECT_ACTION, Act

FOREVER = 10_000


def endless(number: int) -> list[list[float]]:
    """One episode that does not end here; each reward says whose step it is."""
    return [[1_000.0 * number + time for time in range(FOREVER)]]


@pytest.mark.parametrize("piece", [1, 6, 20, 1_000])
def test_the_random_policy_takes_its_share_and_no_more(piece: int, act: Act) -> None:
    """In however many pieces it is asked to."""
    acting = act(*map(endless, range(4)), random_steps=20)
    collector = acting.collector
    while collector.is_random:
        collector.run(piece)
    assert collector.env_steps == 20
    assert collector.run(16) == 16
    assert not collector.is_random
    versions = [step.policy_train_step for step in acting.transitions()]
    # 5 and 4 rounds; the last step of each environment still waits for its next.
    assert versions == [RANDOM_POLICY] * 20 + [40] * 12


def test_a_share_between_two_rounds_is_rounded_up(act: Act) -> None:
    """All environments step together."""
    collector = act(*map(endless, range(4)), random_steps=18).collector
    collector.run(100)
    assert collector.env_steps == 20
    assert not collector.is_random


def test_the_random_policy_is_random_and_the_other_comes_after_it(act: Act) -> None:
    """It does not take one of the two actions 80 times."""
    acting = act(*map(endless, range(4)), random_steps=80)
    while acting.collector.env_steps < 120:
        acting.collector.run(40)
    actions = [step.action for step in acting.transitions()]
    assert set(actions[:80]) == {0, 1}
    assert set(actions[80:]) == {COLLECT_ACTION}


def test_without_random_steps_the_collect_policy_begins(act: Act) -> None:
    """As in a run that was resumed."""
    acting = act(*map(endless, range(2)))
    assert not acting.collector.is_random
    acting.collector.run(10)
    steps = acting.transitions()
    assert {(step.action, step.policy_train_step) for step in steps} == {(1, 40)}


def test_each_step_tells_which_weights_chose_it(act: Act) -> None:
    """Those that the policy had at that time."""
    acting = act(*map(endless, range(2)))
    for version in (40, 41, 55):
        acting.weights.train_step = version
        acting.collector.run(8)
    versions = [step.policy_train_step for step in acting.transitions()]
    # Two environments: 3 times 4 rounds, of which the last is not complete.
    assert versions == [40] * 8 + [41] * 8 + [55] * 4


def test_what_is_written_is_what_the_environments_saw_and_were_told(act: Act) -> None:
    """Each transition of each environment, once, with the action that it took."""
    acting = act(*map(endless, range(3)), random_steps=60)
    acting.collector.run(63)
    taken = {
        1_000 * number + time: (time, time + 1, action)
        for number, environment in enumerate(acting.environments)
        for time, action in enumerate(environment.actions)
    }
    written = acting.transitions()
    assert len(written) == len({step.reward for step in written}) == 56
    assert all(
        taken[int(step.reward)] == (step.time, step.next_time, step.action)
        for step in written
    )


def test_steps_are_transitions_across_the_ends_of_episodes(act: Act) -> None:
    """Nothing is lost but what waits: for its next step, or for a full item."""
    episodes = [
        [
            [10_000.0 * env + 1_000 * number + time for time in range(length)]
            for number, length in enumerate(lengths)
        ]
        for env, lengths in enumerate(
            [(1, 3, 2, 1, 90), (2, 2, 2, 2, 90), (90,), (4, 90)]
        )
    ]
    acting = act(*episodes, random_steps=7)
    for _ in range(3):
        acting.collector.run(9)
    told = [len(environment.actions) for environment in acting.environments]
    assert acting.collector.env_steps == sum(told)
    played = {
        step
        for own, count in zip(episodes, told)
        for step in [reward for episode in own for reward in episode][:count]
    }
    waiting = int((~acting.collector._time_step.is_first()).sum())
    assert waiting in {1, 2, 3, 4}
    written = [step.reward for step in acting.transitions()]
    assert len(written) == (sum(told) - waiting) // 4 * 4
    assert len(set(written)) == len(written)
    assert set(written) <= played


def test_a_transition_never_leads_into_the_next_episode(act: Act) -> None:
    """The observation is the time within the episode."""
    acting = act([[1.0] * length for length in (1, 2, 3, 4, 5)], [[1.0] * 3])
    acting.collector.run(60)
    steps = acting.transitions()
    assert len(steps) >= 40
    assert all(step.next_time == step.time + 1 for step in steps)


def test_the_first_step_of_an_episode_is_no_environment_step(act: Act) -> None:
    """It resets the environment, and is not counted."""
    collector = act([[1.0] * 3], [[1.0] * 3]).collector
    assert collector.run(6) == 6
    assert collector.run(1) == 2  # After the round of the resets.
    assert collector.env_steps == 8
    assert collector.episodes == 2


def test_the_average_return_is_that_of_whole_episodes(act: Act) -> None:
    """By hand: those that have ended, and none before."""
    collector = act(
        [[1.0, 2.0], [8.0], [100.0, 100.0]], [[0.5, 0.5, -3.0], [32.0] * 9]
    ).collector
    collector.run(2)
    assert (collector.episodes, collector.average_return) == (0, None)
    collector.run(2)
    assert (collector.episodes, collector.average_return) == (1, 3.0)
    collector.run(1)  # The one resets, the other ends.
    assert (collector.episodes, collector.average_return) == (2, (3.0 - 2.0) / 2)
    collector.run(1)  # The one ends, the other resets.
    assert (collector.episodes, collector.average_return) == (3, (3.0 - 2.0 + 8.0) / 3)


def test_the_average_return_forgets_old_episodes(act: Act) -> None:
    """It is over the last 20, to show how good the policy is now."""
    acting = act([[float(number)] for number in range(100)])
    acting.collector.run(30)
    assert acting.collector.episodes == 30
    assert acting.collector.average_return == np.mean(range(10, 30))


def test_an_abandoned_episode_is_in_no_figure(act: Act) -> None:
    """The second step of an environment fails; its third begins another episode.

    TF-Agents' own EnvironmentSteps would count the step that failed.
    """
    collector = act([[1.0, math.nan], [2.0, 4.0]], [[32.0] * 4]).collector
    collector.run(2)
    assert (collector.env_steps, collector.environment_failures) == (2, 0)
    collector.run(1)  # The one fails: its step is a first one.
    assert (collector.env_steps, collector.environment_failures) == (3, 1)
    assert collector.episodes == 0
    collector.run(1)
    collector.run(1)
    assert (collector.env_steps, collector.environment_failures) == (7, 1)
    assert (collector.episodes, collector.average_return) == (2, (6.0 + 128.0) / 2)


def test_no_transition_leads_across_a_failure(act: Act) -> None:
    """Of two environments that fail now and then, all others are in the table."""
    fails = [1.0, 2.0, math.nan]
    acting = act([fails, [4.0, 8.0]], [[16.0] * 3, [32.0, math.nan], [64.0] * 4])
    for _ in range(10):
        acting.collector.run(4)
    assert acting.collector.environment_failures >= 2
    steps = acting.transitions()
    assert all(step.next_time == step.time + 1 for step in steps)
    written = collections.Counter(step.reward for step in steps)
    assert written[1.0] == written[2.0] == 1
    assert set(written) <= {1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0}
    assert acting.collector.env_steps - 6 < len(steps) <= acting.collector.env_steps


@pytest.mark.parametrize(
    ("initial_steps", "collected", "task", "num_actors", "share"),
    [
        (1_000, 0, 0, 1, 1_000),
        (1_000, 0, 1, 4, 250),
        (1_000, 0, 2, 3, 334),  # Rounded up: together they take enough.
        (1, 0, 7, 8, 1),
        (0, 0, 0, 1, 0),
        (1_000, 999, 0, 4, 250),  # Others are not through with theirs.
        (1_000, 1_000, 0, 4, 0),  # This actor was restarted.
        (1_000, 90_000, 0, 4, 0),
        (1_000, 0, 4, 4, 0),  # This one joined a run of four.
        (1_000, 0, 100, 4, 0),
    ],
)
def test_the_initial_steps_belong_to_the_run(
    initial_steps: int, collected: int, task: int, num_actors: int, share: int
) -> None:
    """Each of its first actors takes an equal share, once."""
    assert random_share(initial_steps, collected, task, num_actors) == share
