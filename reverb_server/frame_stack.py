"""Stacks of frames, of which the replay table holds only the newest frame.

An environment that shows its last frames together, along the last axis, shows each of
them several times (Mnih et al., 2015, doi:10.1038/nature14236). The older ones are
those of the steps before, which are in the table too: the writer keeps the `newest`
frame of each step, and the learner puts the stacks together again, by `restack`.

Images are the parts of rank 3 of an observation: height, width, channels. All other
parts are left as they are.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tf_agents.trajectories import StepType, trajectory
from tf_agents.typing import types

from experiment.errors import ConfigurationError
from experiment.specs import is_image

# Rounds of the environments in which each stack is compared with the one before it.
_LOOKED_AT = 200


def single_spec(spec: types.NestedTensorSpec, frames: int) -> types.NestedTensorSpec:
    """What is stored of an observation.

    Args:
      spec: Of the observation, any nest.
      frames: In a stack.

    Returns:
      The same with the channels of one frame in each image.

    Raises:
      ConfigurationError: There is no image, or one cannot consist of so many frames.
    """
    told = f"Replay.frame_stack is {frames}, but"
    images = [part for part in tf.nest.flatten(spec) if is_image(part.shape)]
    if not images:
        raise ConfigurationError(
            f"{told} no part of the observation is an image [height, width, channels]; "
            "set it to 1."
        )
    for part in images:
        if part.shape[-1] % frames:
            raise ConfigurationError(
                f"{told} an observation has {part.shape[-1]} channels, which are not "
                "so many frames; set it to what the environment stacks, or to 1."
            )

    def of_one(part: tf.TensorSpec) -> tf.TensorSpec:
        if not is_image(part.shape):
            return part
        shape = [*part.shape[:-1], part.shape[-1] // frames]
        return tf.TensorSpec(shape, part.dtype, part.name)

    return tf.nest.map_structure(of_one, spec)


def newest(observation: types.NestedArray, frames: int) -> types.NestedArray:
    """The newest frame of each stack.

    Args:
      observation: Nest of arrays [B, ...]; images are [B, H, W, C * frames].
      frames: In a stack.

    Returns:
      The same with images [B, H, W, C].
    """
    if frames == 1:
        return observation

    def of_one(part: np.ndarray) -> np.ndarray:
        if not is_image(part.shape[1:]):
            return part
        return part[..., -(part.shape[-1] // frames) :]

    return tf.nest.map_structure(of_one, observation)


def restack(
    observation: types.NestedTensor, step_type: tf.Tensor, frames: int
) -> types.NestedTensor:
    """Puts stacks together again, as the environment had shown them.

    The frame of age a in the stack of step t is that of step t - a, but none from
    before the first step of the episode: the first one is repeated.

    Args:
      observation: Nest of tensors [..., T, *shape], images with single frames.
      step_type: int32 [..., T], of the steps that show these frames.
      frames: In a stack; the first `frames - 1` of the T steps are only looked back at,
        so they may be of another episode.

    Returns:
      The same nest of the other steps, [..., T - frames + 1, *shape], images with
      `frames` times as many channels, the newest frame last.
    """
    axis = step_type.shape.rank - 1  # That of time.
    times = np.arange(step_type.shape[-1], dtype=np.int32)
    begins = tf.where(step_type == StepType.FIRST, times, 0)[..., None, :]
    # The first step of the episode of each time: the newest one that is not later.
    begin = tf.reduce_max(tf.where(times[:, None] >= times, begins, 0), axis=-1)
    wanted = times[frames - 1 :, None] - times[frames - 1 :: -1]
    sources = tf.maximum(wanted, begin[..., frames - 1 :, None])

    def of_one(part: tf.Tensor) -> tf.Tensor:
        if not is_image(part.shape[axis + 1 :]):
            return tf.gather(part, times[frames - 1 :], axis=axis)
        found = tf.gather(part, sources, axis=axis, batch_dims=axis)
        *outer, _, height, width, channels = found.shape
        # From [..., frames, H, W, C] to [..., H, W, frames, C].
        count = len(outer)
        order = [*range(count), count + 1, count + 2, count, count + 3]
        shape = [*outer, height, width, frames * channels]
        return tf.reshape(tf.transpose(found, order), shape)

    return tf.nest.map_structure(of_one, observation)


class StackCheck:
    """An observer for PyDriver: whether observations really are stacks of frames.

    If not, frames would be lost that are in no other step. Stacks at the beginning of
    an episode are looked at always, others in the first rounds.
    """

    def __init__(self, frames: int) -> None:
        """Args: frames: In a stack."""
        self._frames = frames
        self._rounds = 0
        self._before: list[np.ndarray] = []

    def __call__(self, steps: trajectory.Trajectory) -> None:
        """Looks at one step of each environment.

        Args:
          steps: Arrays of shape [B, ...].

        Raises:
          ConfigurationError: An image is no stack.
        """
        is_first = steps.step_type == StepType.FIRST
        stacks = [
            part
            for part in tf.nest.flatten(steps.observation)
            if is_image(part.shape[1:])
        ]
        for stack in stacks:
            self._require(stack[is_first], stack[is_first], "begins with several")
        for stack, before in zip(stacks, self._before):
            self._require(
                stack[~is_first], before[~is_first], "goes on with other older"
            )
        self._rounds += 1
        self._before = stacks if self._rounds < _LOOKED_AT else []

    def _require(self, stack: np.ndarray, before: np.ndarray, how: str) -> None:
        """Refuses stacks whose older frames are not the newer ones of those before."""
        channels = stack.shape[-1] // self._frames
        if not np.array_equal(stack[..., :-channels], before[..., channels:]):
            raise ConfigurationError(
                f"Replay.frame_stack is {self._frames}, but the observations are no "
                f"stacks of {self._frames} frames: an episode {how} frames; set it to "
                "what the environment stacks, or to 1."
            )
