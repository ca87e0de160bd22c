"""reverb_server/tables.py: the tables of a run, in a real server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import reverb
import tensorflow as tf
from tf_agents.policies.random_tf_policy import RandomTFPolicy

from experiment import definition, environments
from experiment.definition import Experiment
from experiment.errors import ConfigurationError
from experiment.settings import Collect, Replay
from reverb_server import tables
from tests.experiment.made_presets import PRESETS
from tests.reverb_server.conftest import Built, Serve, Served

SMALL = Experiment(
    replay=Replay(
        max_size=50,
        min_size_to_sample=1,
        samples_per_insert=None,
        batch_size=8,
        transitions_per_item=8,
    ),
    collect=Collect(initial_collect_steps=0),
)


@pytest.fixture
def served(serve: Serve, cartpole: Built) -> Served:
    """A server with all tables of a run."""
    return serve(tables.make_tables(SMALL, *cartpole, 1, "r/1"))


def test_a_run_has_these_tables(served: Served) -> None:
    """Their signatures tell whoever joins what goes into them."""
    info = served.client.server_info(timeout=5)
    assert sorted(info) == ["end", "replay", "run", "telemetry", "variables"]
    assert all(table.signature is not None for table in info.values())
    [weights, step] = tf.nest.flatten(info["variables"].signature)[-2:]
    assert step.dtype == tf.int64
    assert step.shape == []
    assert weights.shape == [2]


def test_what_travels_is_the_collect_policy_and_its_train_step(cartpole: Built) -> None:
    """The variables themselves, so that they can be assigned to."""
    weights = tables.weights_of(*cartpole)
    flat = {id(variable) for variable in tf.nest.flatten(weights)}
    expected = [*cartpole.agent.collect_policy.variables(), cartpole.train_step]
    assert flat == {id(variable) for variable in expected}


def test_a_policy_whose_weights_do_not_travel_is_refused() -> None:
    """The eval job would judge weights that nobody has trained."""
    experiment = Experiment()
    environment = environments.gym_environment("CartPole-v1")
    agent, train_step = experiment.make_agent(environment)
    agent._collect_policy = RandomTFPolicy(agent.time_step_spec, agent.action_spec)
    with pytest.raises(ConfigurationError, match="which its collect policy has not"):
        tables.make_tables(experiment, agent, train_step, 1, "r/1")


def test_the_replay_table_holds_whole_items_and_drops_the_oldest(
    served: Served,
) -> None:
    """Of 50 transitions fit 6 items of 8; each is sampled again and again."""
    assert served.info(tables.REPLAY).max_size == 6
    width = served.info(tables.REPLAY).signature["steps"].shape[-1]
    with served.client.trajectory_writer(1) as writer:
        for number in range(9):
            writer.append({"steps": np.full([16, width], number, np.uint8)})
            writer.create_item(
                tables.REPLAY, 1.0, {"steps": writer.history["steps"][-1]}
            )
    assert served.info(tables.REPLAY).current_size == 6
    samples = served.client.sample(tables.REPLAY, 500, emit_timesteps=False)
    numbers = [sample.data[0].flat[0] for sample in samples]
    assert set(numbers) == set(range(3, 9))
    # Uniformly: about 83 times each.
    assert min(numbers.count(number) for number in range(3, 9)) > 40


def filled(column: tf.TensorSpec, number: int) -> object:
    """A column of a row that holds this number only."""
    if column.dtype == tf.string:
        return str(number)
    return np.full(column.shape, number, column.dtype.as_numpy_dtype)


@pytest.mark.parametrize("name", [tables.RUN, tables.VARIABLES, tables.END])
def test_only_the_newest_row_is_held(served: Served, name: str) -> None:
    """And may be read any number of times."""
    spec = served.info(name).signature
    for number in range(3):
        row = tf.nest.map_structure(lambda column, n=number: filled(column, n), spec)
        served.client.insert(row, {name: 1.0})
    assert served.info(name).max_size == 1
    assert served.info(name).current_size == 1
    for _ in range(3):
        [sample] = served.client.sample(name, 1)
        assert all(int(column.flat[-1]) == 2 for column in sample[0].data)


def test_telemetry_rows_are_read_once(served: Served) -> None:
    """In the order in which they came."""
    for number in range(5):
        served.client.insert(str(number).encode(), {tables.TELEMETRY: 1.0})
    read = [
        sample.data[0].item()
        for sample in served.client.sample(tables.TELEMETRY, 5, emit_timesteps=False)
    ]
    assert read == [b"0", b"1", b"2", b"3", b"4"]
    assert served.info(tables.TELEMETRY).current_size == 0


def test_settings_that_cannot_work_are_refused(cartpole: Built) -> None:
    """Before there is a server: an item larger than the table."""
    experiment = Experiment(replay=Replay(max_size=4, min_size_to_sample=1))
    with pytest.raises(ConfigurationError, match=r"Replay\.max_size"):
        tables.make_tables(experiment, *cartpole, 1, "r/1")


@pytest.mark.parametrize("path", PRESETS)
def test_every_preset_makes_its_tables(path: Path) -> None:
    """For few actors and for many."""
    experiment = definition.load_file(path)
    agent, train_step = experiment.make_agent(experiment.environment())
    for num_actors in (1, 2, 64):
        made = tables.make_tables(experiment, agent, train_step, num_actors, "r/1")
        assert all(isinstance(table, reverb.Table) for table in made)
