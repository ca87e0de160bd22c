"""How transitions lie in the items of the replay table: derived from the agent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.trajectories import trajectory

from experiment.agents import OnPolicyAgent
from experiment.errors import ConfigurationError
from experiment.settings import Replay
from reverb_server import frame_stack
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
    """Shape and content of an item: `windows_per_item` windows of steps.

    Items of one window share the steps in which windows overlap: each is stored once.
    Items of several hold whole windows, which is faster; each step is stored as often
    as it is in a window.

    Attributes:
      codec: Packs one `Step`.
      sequence_length: Steps in one window: 2 for one transition.
      windows_per_item: In one item, of independent environments.
      stride: Steps from the beginning of one window to that of the next.
      spans_episodes: Whether a window may hold the end of an episode and the beginning
        of the next anywhere. If not, only what follows a terminal state may be of the
        next episode: the agent discounts it by 0.
      is_on_policy: Whether all steps of a window must be of one policy, and each
        window is read once, see `OnPolicyAgent`.
      frames: In each stack that an image of an observation is; the newest is stored.
      clips_rewards: Whether only the sign of each reward is stored.
    """

    codec: StepCodec
    sequence_length: int
    windows_per_item: int
    stride: int = 1
    spans_episodes: bool = False
    is_on_policy: bool = False
    frames: int = 1
    clips_rewards: bool = False

    @property
    def stored_length(self) -> int:
        """Steps of a window and those before it whose frames it shows too."""
        return self.sequence_length + self.frames - 1

    @property
    def signature(self) -> tf.TensorSpec:
        """Of the table: uint8 [windows * steps, bytes], named by what is packed.

        Reverb keeps the name, so a table tells what its bytes are.
        """
        return tf.TensorSpec(
            [self.windows_per_item * self.stored_length, self.codec.step_bytes],
            tf.uint8,
            name=" ".join(self._contents),
        )

    @property
    def _contents(self) -> tuple[str, ...]:
        """In words: items of the same size may be of windows of other lengths."""
        windows = f"windows:{self.windows_per_item}x{self.sequence_length}"
        stacks = [] if self.frames == 1 else [f"stacks:{self.frames}"]
        return windows, *stacks, *columns_of(self.codec.spec)

    def differences(self, name: str | None) -> str:
        """What a table with a signature of this name holds that is different."""
        return differences(tuple((name or "").split()), self._contents)

    @property
    def env_steps_per_item(self) -> int:
        """Environment steps that one item brings."""
        return self.windows_per_item * self.stride

    @property
    def shares_steps(self) -> bool:
        """Whether items share steps."""
        return self.windows_per_item == 1


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
    differ = layout.differences(found.name if found else None) or "another size"
    raise ConfigurationError(
        f"the replay table holds {found or signature}, but the experiment built here "
        f"makes {layout.signature} ({differ}); use the same code and libraries on all "
        "hosts."
    )


def replay_layout(agent: tf_agent.TFAgent, settings: Replay) -> ReplayLayout:
    """Derives the layout from what the agent trains on.

    Raises:
      ConfigurationError: Agent and settings differ on the number of steps, large steps
        would be stored several times, or observations cannot be stacks.
    """
    stored, frames = agent.collect_data_spec, settings.frame_stack
    if frames > 1:
        observation = frame_stack.single_spec(stored.observation, frames)
        stored = stored.replace(observation=observation)
    layout = ReplayLayout(
        codec=StepCodec(Step(stored, tf.TensorSpec([], tf.int64))),
        sequence_length=_sequence_length(agent, settings),
        windows_per_item=settings.windows_per_item,
        stride=settings.sequence_stride,
        spans_episodes=agent.train_sequence_length is None,
        is_on_policy=isinstance(agent, OnPolicyAgent),
        frames=frames,
        clips_rewards=settings.clip_rewards,
    )
    if layout.codec.step_bytes > _LARGE_STEP_BYTES and not layout.shares_steps:
        raise ConfigurationError(
            f"Replay.transitions_per_item is {settings.windows_per_item}, but a "
            f"step has {layout.codec.step_bytes:,} bytes, and each would be stored "
            f"{layout.sequence_length} times; set Replay.transitions_per_item = 1, and "
            "it is stored once."
        )
    return layout


def _sequence_length(agent: tf_agent.TFAgent, settings: Replay) -> int:
    """Steps of a window: the agent's own number, or else that of the settings."""
    own, wanted = agent.train_sequence_length, settings.sequence_length
    if own is None and wanted is None:
        raise ConfigurationError(
            f"{type(agent).__name__} trains on sequences of any length, so it does not "
            "say how the replay table is to be laid out; set Replay.sequence_length, "
            "e.g. to 20."
        )
    if own is not None and wanted is not None:
        raise ConfigurationError(
            f"Replay.sequence_length is {wanted}, but {type(agent).__name__} trains on "
            f"windows of {own} steps; leave it out, or bind a recurrent network."
        )
    length = int(own or wanted or 0)
    burn_in = getattr(agent, "burn_in", 0)
    if burn_in > length - 2:
        raise ConfigurationError(
            f"dqn_agent.burn_in is {burn_in}, so nothing would be learned of sequences "
            f"of {length} steps (Replay.sequence_length); it must be <= {length - 2}."
        )
    if settings.sequence_stride > length - 1 - burn_in:
        raise ConfigurationError(
            f"Replay.sequence_stride is {settings.sequence_stride}, but a sequence of "
            f"{length} steps teaches {length - 1 - burn_in} (dqn_agent.burn_in is "
            f"{burn_in}), so some would never be learned from; it must be <= "
            f"{length - 1 - burn_in}."
        )
    n_step = getattr(agent, "n_step", 1)
    if n_step > length - 1:
        raise ConfigurationError(
            f"dqn_agent.n_step is {n_step}, but sequences of {length} steps "
            f"(Replay.sequence_length) have {length - 1} rewards; it must be <= "
            f"{length - 1}."
        )
    return length
