"""eval_job/evaluator.py: which rewards count."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from tf_agents.environments import batched_py_environment
from tf_agents.policies import fixed_policy, py_policy
from tf_agents.specs import array_spec, tensor_spec
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from eval_job.evaluator import evaluate
from experiment import environments
from experiment.batched_policy import BatchedPolicy
from tests.eval_job.scripted_environment import ScriptedEnvironment

SEED = np.random.SeedSequence(3)

# So much that a return with one of these in it cannot be mistaken.
AFTERWARDS = [1e6]


class Pacing(py_policy.PyPolicy):
    """Remembers in its state how often each environment was acted in."""

    def __init__(self, environment: batched_py_environment.BatchedPyEnvironment):
        super().__init__(
            environment.time_step_spec(),
            environment.action_spec(),
            policy_state_spec=array_spec.ArraySpec([], np.int64),
        )
        self.asked: list[tuple[ts.TimeStep, np.ndarray]] = []

    def _action(
        self,
        time_step: ts.TimeStep,
        policy_state: types.NestedArray,
        seed: types.Seed | None = None,
    ) -> policy_step.PolicyStep:
        self.asked.append((time_step, policy_state))
        return policy_step.PolicyStep(policy_state % 2, policy_state + 1)


def scripted(
    *first_episodes: Sequence[float],
) -> batched_py_environment.BatchedPyEnvironment:
    """Environments with these first episodes, and dear ones afterwards."""
    return environments.EnvironmentBatch(
        [
            ScriptedEnvironment(
                itertools.chain([rewards], itertools.repeat(AFTERWARDS))
            )
            for rewards in first_episodes
        ],
        lambda: ScriptedEnvironment(itertools.repeat(AFTERWARDS)),
    )


def always_right(
    environment: batched_py_environment.BatchedPyEnvironment,
) -> BatchedPolicy:
    """The same action at all times."""
    specs = environment.time_step_spec(), environment.action_spec()
    return BatchedPolicy(
        fixed_policy.FixedPolicy(np.int64(1), *map(tensor_spec.from_spec, specs))
    )


def cartpoles(count: int) -> batched_py_environment.BatchedPyEnvironment:
    """Real environments, with a time limit that no fall comes up to."""
    return environments.batched(
        lambda: environments.gym_environment("CartPole-v1"),
        count,
        np.random.SeedSequence(0),
    )


def test_each_environment_contributes_its_first_episode_and_no_other() -> None:
    """Those that end early play on until the last one is through."""
    environment = scripted([1.0], [0.5, -2.0, 4.0], [8.0, 16.0], [0.0] * 6 + [0.25])
    returns = evaluate(environment, always_right(environment), SEED)
    np.testing.assert_array_equal(returns, [1.0, 2.5, 24.0, 0.25])
    assert returns.dtype == np.float64
    assert [single.begun for single in environment.envs] == [4, 3, 4, 1]


@pytest.mark.parametrize("rewards", [[3.0], [3.0, 4.0]])
def test_a_batch_of_one_is_a_batch(rewards: list[float]) -> None:
    """It ends with its episode."""
    environment = scripted(rewards)
    returns = evaluate(environment, always_right(environment), SEED)
    np.testing.assert_array_equal(returns, [sum(rewards)])
    assert environment.envs[0].begun == 1


def test_small_rewards_are_added_up_in_full_precision() -> None:
    """float32 would lose them beside a large one."""
    environment = scripted([2.0**24, *[1.0] * 5])
    returns = evaluate(environment, always_right(environment), SEED)
    assert returns.item() == 2.0**24 + 5


def test_the_policy_sees_all_time_steps_and_its_own_state() -> None:
    """Batched; from the initial state on."""
    environment = scripted([1.0, 1.0, 1.0], [1.0])
    policy = Pacing(environment)
    evaluate(environment, policy, SEED)
    observations = [time_step.observation.tolist() for time_step, _ in policy.asked]
    assert observations == [[[0.0], [0.0]], [[1.0], [1.0]], [[2.0], [0.0]]]
    states = [state.tolist() for _, state in policy.asked]
    assert states == [[0, 0], [1, 1], [2, 2]]


def test_a_second_evaluation_begins_anew() -> None:
    """Although the environments are in the midst of other episodes."""
    environment = scripted([1.0, 2.0], [4.0])
    policy = always_right(environment)
    evaluate(environment, policy, SEED)
    returns = evaluate(environment, policy, SEED)
    np.testing.assert_array_equal(returns, [1e6, 1e6])


def test_each_environment_gets_a_seed_of_its_own() -> None:
    """Else all would play the same episode."""
    environment = scripted([1.0], [1.0], [1.0])
    evaluate(environment, always_right(environment), SEED)
    seeds = [single.seeds for single in environment.envs]
    assert all(len(own) == 1 for own in seeds)
    assert len({own[0] for own in seeds}) == 3


def test_the_same_seed_gives_the_same_returns() -> None:
    """Whatever was played before; another seed gives other initial states."""
    environment = cartpoles(8)
    policy = always_right(environment)
    first = evaluate(environment, policy, SEED)
    other = evaluate(environment, policy, np.random.SeedSequence(4))
    np.testing.assert_array_equal(evaluate(environment, policy, SEED), first)
    assert not np.array_equal(other, first)
    assert all(8 <= steps <= 11 for steps in [*first, *other])


def failing(*scripts: Sequence[Sequence[float]]) -> environments.EnvironmentBatch:
    """Three environments of these episodes, and those that take their places.

    TF-Agents lets no environment give a reward of NaN: it raises.
    """
    made = (ScriptedEnvironment(iter(episodes)) for episodes in scripts)
    return environments.EnvironmentBatch([next(made) for _ in range(3)], made.__next__)


def test_an_episode_that_was_cut_by_a_failure_is_played_again() -> None:
    """From its beginning, by a new environment; those of the others count on."""
    environment = failing(
        [[1.0, 2.0, math.nan]],
        [[0.5] * 8],
        [[4.0], [math.nan]],  # Fails when its episode is through.
        [[16.0, 32.0, math.nan]],
        [AFTERWARDS] * 9,
        [[64.0, 128.0]],
    )
    returns = evaluate(environment, always_right(environment), SEED)
    np.testing.assert_array_equal(returns, [192.0, 4.0, 4.0])
    assert environment.recovery.failures == 3


def test_an_environment_that_never_ends_an_episode_is_given_up() -> None:
    """Although each of its episodes begins well."""
    good = [[1.0]] * 300
    environment = failing(good, good, *[[[1.0, math.nan]]] * 101)
    with pytest.raises(
        RuntimeError, match="environment 2 of the evaluation failed 100 times"
    ):
        evaluate(environment, always_right(environment), SEED)
