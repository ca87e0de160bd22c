"""reverb_server/on_policy.py, and what a table and a writer are for such an agent."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import reverb

from experiment.errors import ConfigurationError
from reverb_server import on_policy, scaling, tables
from reverb_server.replay_layout import ReplayLayout, Step, replay_layout
from reverb_server.replay_writer import ReplayWriter
from tests.actor.on_policy_run import LENGTH, WINDOWS, load
from tests.reverb_server.conftest import Built, Serve
from tests.reverb_server.episodes import batches, experience, queue, take
from tests.reverb_server.waiting import wait_until


def make_tables(*bindings: str, num_actors: int = 1) -> list[reverb.Table]:
    """Of the small run with these bindings."""
    made = load(*bindings)
    agent, train_step = made.make_agent(made.environment())
    return tables.make_tables(made, agent, train_step, num_actors, "r/1")


@pytest.mark.parametrize(
    ("binding", "remedy"),
    [
        ("Replay.samples_per_insert = 8.0", "None"),
        ("Replay.sequence_stride = 3", str(LENGTH)),
        ("Replay.transitions_per_item = 2", "1"),
        ("Replay.priority_exponent = 0.6", "0"),
        ("Collect.initial_collect_steps = 100", "0"),
        ("Train.steps_per_call = 32", "1"),
    ],
)
def test_settings_made_for_old_data_are_refused(binding: str, remedy: str) -> None:
    """With the only value that makes sense."""
    name, value = binding.split(" = ")
    with pytest.raises(ConfigurationError) as raised:
        make_tables(binding)
    assert str(raised.value).startswith(f"{name} is {value}, but PPOAgent learns ")
    assert str(raised.value).endswith(f"set {name} = {remedy}.")


def test_all_settings_made_for_old_data_are_told_at_once() -> None:
    """One start shows what to change."""
    bindings = ["Train.steps_per_call = 32", "Replay.sequence_stride = 3"]
    with pytest.raises(ConfigurationError) as raised:
        make_tables(*bindings)
    for binding in bindings:
        assert binding.replace(" =", " is") in str(raised.value)
    remedy = f"Replay.sequence_stride = {LENGTH}, Train.steps_per_call = 1."
    assert str(raised.value).endswith(f"set {remedy}")


def test_exploration_of_another_kind_is_refused() -> None:
    """Before any actor has started: actions must be those of the agent's policy."""
    with pytest.raises(ConfigurationError, match="set it to @agent_collect_policy"):
        make_tables("Experiment.collect_policy = @epsilon_ladder")


def test_a_queue_that_holds_no_batch_is_refused() -> None:
    """As are batches that cannot be cut into minibatches."""
    with pytest.raises(ConfigurationError, match=r"Replay\.max_size is 23, .* has 24"):
        make_tables("Replay.max_size = 23", "Replay.min_size_to_sample = 1")
    with pytest.raises(ConfigurationError, match=r"30 transitions .* 4 minibatches"):
        make_tables("Replay.batch_size = 5", "ppo_agent.minibatches = 4")
    with pytest.raises(ConfigurationError, match=r"set Replay\.sequence_length"):
        make_tables("Replay.sequence_length = None", "Replay.sequence_stride = 1")


@pytest.mark.parametrize(
    ("num_actors", "batch_size", "each"), [(1, 4, 1), (2, 8, 1), (2, 24, 3)]
)
def test_a_batch_is_shared_out_over_all_environments(
    num_actors: int, batch_size: int, each: int, caplog: pytest.LogCaptureFixture
) -> None:
    """An actor does not wait for weights that lack its own windows."""
    replay = load(f"Replay.batch_size = {batch_size}").replay
    collect = load().collect
    assert on_policy.windows_per_version(replay, collect, num_actors) == each
    rounds = on_policy.rounds_per_version(replay, collect, num_actors)
    assert rounds == each * LENGTH + 1
    with caplog.at_level(logging.WARNING):
        make_tables(f"Replay.batch_size = {batch_size}", num_actors=num_actors)
    assert "surplus" not in caplog.text


def test_windows_that_are_collected_in_vain_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the batch size that uses them."""
    with caplog.at_level(logging.WARNING):
        make_tables(num_actors=3)
    assert f"surplus is dropped; set it to {3 * WINDOWS}" in caplog.text


def test_a_run_is_scaled_to_actors_that_share_out_a_batch() -> None:
    """Any other number is refused with those that do, of 4 environments each."""
    experiment = load("Replay.batch_size = 24")
    for number in (1, 2, 3, 6):
        scaling.check(experiment, number)
    with pytest.raises(ConfigurationError) as raised:
        scaling.check(experiment, 4)
    assert str(raised.value) == (
        "--num_actors is 4, but the agent is on-policy: with 4 environments each they "
        "would collect 32 windows for a batch of 24; choose one of 1, 2, 3, 6."
    )
    with pytest.raises(ConfigurationError, match="this run cannot be scaled"):
        scaling.check(load("Replay.batch_size = 6"), 2)


def test_each_item_of_the_table_is_sampled_once(serve: Serve) -> None:
    """The oldest first; if nobody samples, the oldest go."""
    made = make_tables("Replay.max_size = 30", "Replay.min_size_to_sample = 1")
    client = serve(made).client
    [replay] = [table for table in made if table.name == tables.REPLAY]
    assert replay.info.max_size == 30 // LENGTH
    spec = replay.info.signature["steps"]
    with client.trajectory_writer(1) as writer:
        for number in range(7):
            writer.append({"steps": np.full(spec.shape, number, np.uint8)})
            steps = writer.history["steps"][-1]
            writer.create_item(tables.REPLAY, 1.0, {"steps": steps})
            writer.flush()
    samples = client.sample(tables.REPLAY, 5, emit_timesteps=False)
    found = [int(sample.data[0].flat[0]) for sample in samples]
    assert found == [2, 3, 4, 5, 6]
    wait_until(lambda: not client.server_info(5)[tables.REPLAY].current_size)


def layout_of(cartpole: Built) -> ReplayLayout:
    """Windows of 3 steps of one policy each, of a DQN's data."""
    made = load()
    agent, _ = made.make_agent(made.environment())
    assert replay_layout(agent, made.replay).is_on_policy
    codec = replay_layout(cartpole.agent, load(DQN).replay).codec
    return ReplayLayout(codec, 3, 1, 2, spans_episodes=True, is_on_policy=True)


DQN = "Replay.sequence_length = None\nReplay.sequence_stride = 1"


def test_a_window_has_steps_of_one_policy_only(serve: Serve, cartpole: Built) -> None:
    """What was begun by another is given up; windows of one share a step."""
    layout = layout_of(cartpole)
    served = serve([queue(layout)])
    writer = ReplayWriter(served.client, layout, 2, lambda: True)
    versions = [4, 4, 4, 4, 4, 4, 9, 9, 2, 2, 2, 2, 2]
    for version, steps in zip(versions, batches(experience([[3] * 9, [20]]))):
        writer.policy_train_step = version
        writer(steps)
    assert writer.rounds == len(versions)
    assert writer.transitions == 2 * 4 * 2
    wait_until(lambda: served.info(tables.REPLAY).current_size == 8)
    found: list[Step] = take(served.client, layout, 8)
    assert [set(window.policy_train_step.tolist()) for window in found] == [
        *[{4}] * 4,
        *[{2}] * 4,
    ]
    times = [window.trajectory.observation[:, 2].astype(int) for window in found[1::2]]
    np.testing.assert_array_equal(
        times, [[0, 1, 2], [2, 3, 4], [8, 9, 10], [10, 11, 12]]
    )
