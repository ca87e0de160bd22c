"""The tables of a run: names, signatures, and how they are made."""

from __future__ import annotations

from typing import Any

import reverb
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.experimental.distributed import reverb_variable_container
from tf_agents.typing import types

from experiment import unused
from experiment.agents import OnPolicyAgent
from experiment.definition import Experiment
from experiment.errors import ConfigurationError
from reverb_server import (
    address,
    on_policy,
    priorities,
    rate_limiter,
    replay_layout,
    sharding,
    sizes,
)
from reverb_server.columns import columns_of, differences

REPLAY = "replay"  # Experience.
VARIABLES = "variables"  # The newest weights and their train step.
RUN = "run"  # The manifest.
END = "end"  # Empty while the run goes on; then why it ended, and its weights.
TELEMETRY = "telemetry"  # Rows of figures, each read once by the server.

# Key of it among the weights.
LARGEST_PRIORITY_KEY = "largest_priority"

# Rows kept if the server is too busy to read them; the oldest go.
_TELEMETRY_ROWS = 10_000

_TEXT = tf.TensorSpec([], tf.string)


def weights_of(
    agent: tf_agent.TFAgent,
    train_step: tf.Variable,
    largest_priority: tf.Variable | None = None,
) -> types.NestedVariable:
    """The variables that travel from learner to actors and eval job.

    The names of the keys are TF-Agents'.

    Args:
      agent: Whose policy travels.
      train_step: Of the agent.
      largest_priority: See `priorities.largest_priority`.
    """
    weights = {
        reverb_variable_container.POLICY_KEY: list(agent.collect_policy.variables()),
        reverb_variable_container.TRAIN_STEP_KEY: train_step,
    }
    if largest_priority is not None:
        weights[LARGEST_PRIORITY_KEY] = largest_priority
    return weights


def specs_of(weights: types.NestedVariable) -> types.NestedTensorSpec:
    """What a table of such weights holds."""
    return tf.nest.map_structure(
        lambda variable: tf.TensorSpec(variable.shape, variable.dtype), weights
    )


def require_weights(
    client: reverb.Client,
    weights: types.NestedVariable,
    timeout_s: float = address.SERVER_TIMEOUT_S,
) -> None:
    """Refuses a server whose weights are not those of the agent built here.

    Reverb compares shapes, and only when a row is written; it takes another nest.

    Args:
      client: Of the server.
      weights: As `weights_of` has them.
      timeout_s: Seconds to wait for the server.

    Raises:
      ConfigurationError: They differ.
      TimeoutError: The server does not answer.
    """
    found = address.ask(client, timeout_s)[VARIABLES].signature
    wanted = specs_of(weights)
    if found == wanted:
        return
    differ = differences(columns_of(found), columns_of(wanted))
    raise ConfigurationError(
        f"the server's table {VARIABLES!r} holds other weights than the agent built "
        f"here has ({differ or f'nested as {found}, not as {wanted}'}); use the same "
        "code and libraries on all hosts."
    )


def end_of(status: types.Tensor, weights: types.NestedTensor) -> types.NestedTensor:
    """A row of the `end` table."""
    return {"status": status, "weights": weights}


def make_tables(
    experiment: Experiment,
    agent: tf_agent.TFAgent,
    train_step: tf.Variable,
    num_actors: int,
    identity: str,
    servers: int = 1,
) -> list[reverb.Table]:
    """Makes all tables of a run, or of the first of several servers.

    Args:
      experiment: What is learned.
      agent: Built for its environment.
      train_step: Of the agent.
      num_actors: Actors of the run.
      identity: See `run_tables.Identity`.
      servers: That the replay is spread over.

    Raises:
      ConfigurationError: The replay settings or the collect policy cannot work,
        something is too large, or a binding would do nothing.
    """
    for task in {0, num_actors - 1}:  # Refused here, not by an actor.
        experiment.collect_policy(agent, task, num_actors)
    unused.require_used()
    _require_travelling(agent)
    sharding.check(experiment, agent, num_actors, servers)
    experiment = sharding.share_of(experiment, servers)
    replay = experiment.replay
    layout = replay_layout.replay_layout(agent, replay)
    if isinstance(agent, OnPolicyAgent):
        on_policy.check_on_policy(agent, experiment, num_actors)
    sizes.check_replay(layout, replay)
    if replay.is_prioritized:
        priorities.require_errors(agent, layout)
    weights_spec = specs_of(
        weights_of(agent, train_step, priorities.largest_priority(replay))
    )
    sizes.check_weights(weights_spec)
    return [
        _replay_table(experiment, layout, num_actors),
        _newest_row_table(VARIABLES, weights_spec),
        _newest_row_table(RUN, tf.TensorSpec([], tf.string, name=identity)),
        _newest_row_table(END, end_of(_TEXT, weights_spec)),
        _telemetry_table(),
    ]


def make_shard_tables(
    experiment: Experiment, signature: Any, num_actors: int, identity: str
) -> list[reverb.Table]:
    """Makes the tables of a further replay server.

    Args:
      experiment: With the sizes of its share, see `sharding.share_of`.
      signature: Of the replay table of the first server, which has built the agent.
      num_actors: Actors of the run.
      identity: See `run_tables.Identity`.
    """
    return [
        _sampled_table(experiment, signature, num_actors),
        _newest_row_table(RUN, tf.TensorSpec([], tf.string, name=identity)),
        _telemetry_table(),
    ]


def _require_travelling(agent: tf_agent.TFAgent) -> None:
    """Refuses an agent that the eval job could judge only by weights of its own."""
    travelling = {id(each) for each in agent.collect_policy.variables()}
    for variable in agent.policy.variables():
        if id(variable) not in travelling:
            raise ConfigurationError(
                f"the policy of {type(agent).__name__} has the variable "
                f"{variable.name!r}, which its collect policy has not, and whose "
                "variables travel to actors and eval job; give that one all of them."
            )


def _replay_table(
    experiment: Experiment, layout: replay_layout.ReplayLayout, num_actors: int
) -> reverb.Table:
    """The table of experience; a queue if only new experience will do."""
    replay = experiment.replay
    if layout.is_on_policy:
        return reverb.Table(
            REPLAY,
            sampler=reverb.selectors.Fifo(),
            remover=reverb.selectors.Fifo(),
            max_size=replay.max_size // replay.env_steps_per_item,
            max_times_sampled=1,
            rate_limiter=reverb.rate_limiters.MinSize(1),
            signature={"steps": layout.signature},
        )
    return _sampled_table(experiment, {"steps": layout.signature}, num_actors)


def _sampled_table(
    experiment: Experiment, signature: Any, num_actors: int
) -> reverb.Table:
    """A table of experience that is sampled any number of times."""
    replay = experiment.replay
    return reverb.Table(
        REPLAY,
        sampler=priorities.sampler(replay),
        remover=reverb.selectors.Fifo(),
        max_size=replay.max_size // replay.env_steps_per_item,
        rate_limiter=rate_limiter.rate_limiter(
            replay, experiment.collect, experiment.train, num_actors
        ),
        signature=signature,
    )


def _telemetry_table() -> reverb.Table:
    """A queue of rows, each of which is read once."""
    return reverb.Table(
        TELEMETRY,
        sampler=reverb.selectors.Fifo(),
        remover=reverb.selectors.Fifo(),
        max_size=_TELEMETRY_ROWS,
        max_times_sampled=1,
        rate_limiter=reverb.rate_limiters.MinSize(1),
        signature=_TEXT,
    )


def _newest_row_table(name: str, signature: types.NestedTensorSpec) -> reverb.Table:
    """A table that holds one row, to be read any number of times."""
    return reverb.Table(
        name,
        sampler=reverb.selectors.Fifo(),
        remover=reverb.selectors.Fifo(),
        max_size=1,
        rate_limiter=reverb.rate_limiters.MinSize(1),
        signature=signature,
    )
