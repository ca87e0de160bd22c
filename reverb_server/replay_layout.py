"""How transitions lie in the items of the replay table: derived from the agent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.trajectories import trajectory

from experiment.errors import ConfigurationError
from experiment.settings import Replay
from reverb_server.columns import columns_of, differences
from reverb_server.step_codec import StepCodec


class Step(NamedTuple):
    """What is stored of each environment step.

    Attributes:
      trajectory: The agent's own collect data.
      policy_train_step: int64, the train step of the weights that chose the action;
        `RANDOM_POLICY` if none did.
    """

    trajectory: trajectory.Trajectory
    policy_train_step: tf.Tensor


RANDOM_POLICY = -1

# Above, the bytes cost more than the items (docs/performance.md).
_LARGE_STEP_BYTES = 2_000


@dataclasses.dataclass(frozen=True)
class ReplayLayout:
    """Shape and content of an item: `transitions_per_item` windows of steps.

    Items of one window share the steps in which windows overlap: each is stored once.
    Items of several hold whole windows, which is faster; each step is stored as often
    as it is in a window.

    Attributes:
      codec: Packs one `Step`.
      sequence_length: Steps in one window: 2 for one transition.
      transitions_per_item: Windows in one item, of independent environments.
    """

    codec: StepCodec
    sequence_length: int
    transitions_per_item: int

    @property
    def signature(self) -> tf.TensorSpec:
        """Of the table: uint8 [windows * steps, bytes], named by the columns packed.

        Reverb keeps the name, so a table tells what its bytes are.
        """
        return tf.TensorSpec(
            [self.transitions_per_item * self.sequence_length, self.codec.step_bytes],
            tf.uint8,
            name=" ".join(columns_of(self.codec.spec)),
        )

    @property
    def shares_steps(self) -> bool:
        """Whether items share steps."""
        return self.transitions_per_item == 1


def require_signature(layout: ReplayLayout, signature: Any) -> None:
    """Refuses a replay table of another layout, before the first insert or sample.

    Reverb itself would take and give anything.

    Args:
      layout: What this role writes or reads.
      signature: Of the table, from `server_info`.

    Raises:
      ConfigurationError: They differ.
    """
    if signature == {"steps": layout.signature}:
        return
    found = signature.get("steps") if isinstance(signature, Mapping) else None
    names = tuple((found.name or "").split()) if found else ()
    differ = differences(names, columns_of(layout.codec.spec)) or "another size"
    raise ConfigurationError(
        f"the replay table holds {found or signature}, but the experiment built here "
        f"makes {layout.signature} ({differ}); use the same code and libraries on all "
        "hosts."
    )


def replay_layout(agent: tf_agent.TFAgent, settings: Replay) -> ReplayLayout:
    """Derives the layout from what the agent trains on.

    Raises:
      ConfigurationError: The agent does not say how many steps it needs, or large steps
        would be stored several times.
    """
    if agent.train_sequence_length is None:
        raise ConfigurationError(
            f"{type(agent).__name__} has no fixed train_sequence_length, so the replay "
            "table cannot be laid out; use an agent with a fixed number of steps."
        )
    spec = Step(agent.collect_data_spec, tf.TensorSpec([], tf.int64))
    layout = ReplayLayout(
        codec=StepCodec(spec),
        sequence_length=agent.train_sequence_length,
        transitions_per_item=settings.transitions_per_item,
    )
    if layout.codec.step_bytes > _LARGE_STEP_BYTES and not layout.shares_steps:
        raise ConfigurationError(
            f"Replay.transitions_per_item is {settings.transitions_per_item}, but a "
            f"step has {layout.codec.step_bytes:,} bytes, and each would be stored "
            f"{layout.sequence_length} times; set Replay.transitions_per_item = 1, and "
            "it is stored once."
        )
    return layout
