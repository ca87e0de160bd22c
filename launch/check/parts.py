"""What is found about agent, networks and replay table, built as for a server."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import reverb
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.networks import network as tf_network

from experiment import available_memory, process
from experiment.definition import Experiment
from launch.check.options import Options
from launch.doctor.finding import OK, WARN, Finding
from reverb_server import on_policy, rate_limiter, replay_layout, sizes, tables
from reverb_server.columns import columns_of
from reverb_server.replay_layout import ReplayLayout

# Seconds to build an agent, on a busy machine.
_TIMEOUT_S = 120.0

# Columns of a table that are told one by one.
_MOST_COLUMNS = 2


class Parts:
    """Agent and tables of an experiment."""

    _agent: tf_agent.TFAgent
    _train_step: tf.Variable
    _table: Any
    _layout: ReplayLayout

    def __init__(self, experiment: Experiment, options: Options) -> None:
        """Builds nothing yet."""
        self._experiment = experiment
        self._options = options

    def agent(self) -> Iterator[Finding]:
        """Builds the agent, and tells its networks."""
        experiment = self._experiment
        self._agent, self._train_step = process.call(
            "the agent",
            lambda: experiment.make_agent(experiment.environment()),
            _TIMEOUT_S,
        )
        length = self._agent.train_sequence_length
        windows = f"windows of {length} steps" if length else "windows of any length"
        text = f"{type(self._agent).__name__}, trains on {windows}"
        yield Finding(OK, "agent", text)
        total = 0
        for name, network in _networks(self._agent):
            count = _numbers(network.variables)
            total += count
            text = f"{count:,} parameters, {type(network).__name__}"
            yield Finding(OK, name, text)
        travel = sizes.weights_bytes(self._agent.collect_policy.variables())
        text = (
            f"{total:,} parameters in all; {_bytes(travel)} travel to actors and eval "
            "job"
        )
        yield Finding(OK, "weights", text)

    def exploration(self) -> Iterator[Finding]:
        """Makes the policy of the first actor and of the last."""
        last = self._options.num_actors - 1
        for task in {0, last}:
            policy = self._experiment.collect_policy(
                self._agent, task, self._options.num_actors
            )
        yield Finding(OK, "exploration", type(policy).__name__)

    def table(self) -> Iterator[Finding]:
        """Makes all tables, and tells that of the experience."""
        replay = self._experiment.replay
        made = tables.make_tables(
            self._experiment,
            self._agent,
            self._train_step,
            self._options.num_actors,
            "check",
        )
        [table] = [each.info for each in made if each.name == tables.REPLAY]
        self._layout = layout = replay_layout.replay_layout(self._agent, replay)
        signature = layout.signature
        count = layout.windows_per_item
        shape = "x".join(map(str, signature.shape))
        yield Finding(
            OK,
            "item",
            f"{'1 window' if count == 1 else f'{count} windows'} of "
            f"{layout.sequence_length} steps, as {signature.dtype.name}[{shape}]",
        )
        yield Finding(
            OK, "step", f"{layout.codec.step_bytes:,} bytes: {_columns(layout)}"
        )
        yield Finding(OK, "table", _kind(table))
        yield Finding(OK, "signatures", _signatures(made))
        yield Finding(OK, "limiter", _limiter(self._experiment, table))
        surplus = layout.is_on_policy and on_policy.surplus_of(
            replay, self._experiment.collect, self._options.num_actors
        )
        if surplus:
            found, _, remedy = surplus.partition("; ")
            yield Finding(WARN, "batch", found, remedy)

    def memory(self) -> Iterator[Finding]:
        """Compares a full table with the memory that is free."""
        size = sizes.replay_bytes(self._layout, self._experiment.replay)
        free = available_memory.available_bytes()
        text = (
            f"a full table has about {_bytes(size)}, not compressed; "
            f"{_bytes(free)} are free"
        )
        if size > free:
            yield Finding(WARN, "memory", text, "lower Replay.max_size")
        else:
            yield Finding(OK, "memory", text)


def _networks(agent: tf_agent.TFAgent) -> Iterator[tuple[str, tf_network.Network]]:
    """Those that an agent, or one in it, keeps under a name."""
    seen = set()
    for module in (agent, *agent.submodules):
        if not isinstance(module, tf_agent.TFAgent):
            continue
        for name, value in vars(module).items():
            if isinstance(value, tf_network.Network) and id(value) not in seen:
                seen.add(id(value))
                yield name.strip("_"), value


def _numbers(variables: Any) -> int:
    """How many numbers some variables hold."""
    return sum(math.prod(variable.shape) for variable in variables)


def _bytes(size: float) -> str:
    """A size in words."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} bytes"


def _columns(layout: ReplayLayout) -> str:
    """What one stored step consists of, in the order of its bytes."""
    paths = (column.rpartition("/")[2] for column in columns_of(layout.codec.spec))
    return ", ".join(paths)


def _signatures(made: list[reverb.Table]) -> str:
    """What a row of each table consists of; of weights, how many arrays."""
    texts = []
    for table in made:
        columns = [name.lstrip(":") for name in columns_of(table.info.signature)]
        is_short = len(columns) <= _MOST_COLUMNS
        rows = ", ".join(columns) if is_short else f"{len(columns)} columns"
        texts.append(f"{table.name} {rows}")
    return "; ".join(texts)


def _kind(table: reverb.TableInfo) -> str:
    """Sampler, remover and size of the replay table."""
    sampler, remover = (
        options.WhichOneof("distribution")
        for options in (table.sampler_options, table.remover_options)
    )
    if sampler == "prioritized":
        exponent = table.sampler_options.prioritized.priority_exponent
        sampler = f"prioritized with exponent {exponent:g}"
    return f"{table.max_size:,} items at most; sampler {sampler}, remover {remover}"


def _limiter(experiment: Experiment, table: reverb.TableInfo) -> str:
    """When samples may be taken."""
    replay = experiment.replay
    per_item = replay.env_steps_per_item
    first = table.rate_limiter_info.min_size_to_sample * per_item
    text = f"samples from {first:,} transitions on"
    if not rate_limiter.keeps_ratio(table):
        return f"{text}, in no ratio to inserts"
    return f"{text}, {table.rate_limiter_info.samples_per_insert:g} for each insert"
