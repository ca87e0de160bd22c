"""Environments that show their last frames together."""

from __future__ import annotations

import gin
import numpy as np
import tensorflow as tf
from tf_agents.environments import py_environment, wrappers
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment import environments
from experiment.errors import ConfigurationError, check_number
from experiment.factories import check_factory
from experiment.specs import is_image

# More would be a mistake.
_MOST = 1_000


@gin.configurable
def stack_frames(
    environment: environments.EnvironmentFactory = environments.gym_environment,
    frames: int = 4,
) -> py_environment.PyEnvironment:
    """Shows with each image those of the steps before, along the last axis.

    One image does not tell how fast things move (Mnih et al., 2015,
    doi:10.1038/nature14236). The newest comes last; the first one of an episode is
    repeated, as EnvPool does.

    Args:
      environment: Makes the environment; some part of its observation is an image
        [height, width, channels], and all such parts are stacked.
      frames: Images in a stack.

    Returns:
      The environment, unbatched; its images have `frames` times as many channels.

    Raises:
      ConfigurationError: No part of the observation is an image.
    """
    check_factory("stack_frames.environment", environment, takes=0)
    check_number("stack_frames.frames", frames, 1, at_most=_MOST, integer=True)
    made = environment()
    spec = made.observation_spec()
    if not any(is_image(part.shape) for part in tf.nest.flatten(spec)):
        raise ConfigurationError(
            f"stack_frames.environment has the observation {spec}; some part of it "
            "must be an image [height, width, channels]."
        )
    return StackFrames(made, environment, frames)


class StackFrames(wrappers.PyEnvironmentBaseWrapper):
    """One environment, or a batch of them, with stacks in the place of images."""

    def __init__(
        self,
        environment: py_environment.PyEnvironment,
        factory: environments.EnvironmentFactory,
        frames: int,
    ) -> None:
        """Takes the environment, what makes another one, and the height of a stack."""
        super().__init__(environment)
        self._factory = factory
        self._frames = frames
        spec = environment.observation_spec()
        self._images = [is_image(part.shape) for part in tf.nest.flatten(spec)]
        self._spec = tf.nest.map_structure(self._stacked, spec)
        # What was shown last, the parts of an observation; empty before the first step.
        self._shown: list[np.ndarray] = []

    def batch(self, count: int) -> StackFrames:
        """Makes `count` more of this environment, to be stepped together."""
        batch = environments.together(self._factory, count)
        return StackFrames(batch, self._factory, self._frames)

    def observation_spec(self) -> types.NestedArraySpec:
        """Of one environment."""
        return self._spec

    def _reset(self) -> ts.TimeStep:
        return self._stack(self._env.reset())

    def _step(self, action: types.NestedArray) -> ts.TimeStep:
        return self._stack(self._env.step(action))

    def _stack(self, step: ts.TimeStep) -> ts.TimeStep:
        """Puts stacks in the place of images; a failure begins an episode too."""
        is_first = step.step_type == ts.StepType.FIRST
        parts = tf.nest.flatten(step.observation)
        before = self._shown or [np.tile(part, self._frames) for part in parts]
        self._shown = [
            self._pushed(stack, part, is_first) if is_image else part
            for stack, part, is_image in zip(before, parts, self._images)
        ]
        observation = tf.nest.pack_sequence_as(self._spec, self._shown)
        return step._replace(observation=observation)

    def _pushed(
        self, stack: np.ndarray, frame: np.ndarray, is_first: np.ndarray
    ) -> np.ndarray:
        """A new stack with this frame on top, alone where an episode begins."""
        pushed = np.concatenate([stack[..., frame.shape[-1] :], frame], axis=-1)
        if is_first.any():
            pushed[is_first] = np.tile(frame[is_first], self._frames)
        return pushed

    def _stacked(self, spec: array_spec.ArraySpec) -> array_spec.ArraySpec:
        """The spec of stacks, with their bounds if there are any."""
        if not is_image(spec.shape):
            return spec
        shape = (*spec.shape[:-1], spec.shape[-1] * self._frames)
        if not isinstance(spec, array_spec.BoundedArraySpec):
            return array_spec.ArraySpec(shape, spec.dtype, spec.name)
        low, high = (
            np.tile(np.broadcast_to(bound, spec.shape), self._frames)
            for bound in (spec.minimum, spec.maximum)
        )
        return array_spec.BoundedArraySpec(shape, spec.dtype, low, high, spec.name)
