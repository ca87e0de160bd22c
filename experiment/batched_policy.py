"""A TensorFlow policy for a batch of NumPy environments."""

from __future__ import annotations

from typing import Any, Callable

import tensorflow as tf
from tf_agents.policies import py_policy, tf_policy
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types


class BatchedPolicy(py_policy.PyPolicy):
    """Acts for a whole batch by one call of a graph.

    TF-Agents' PyTFEagerPolicy compares nests of specs at each call, which takes three
    times as long as the graph (docs/performance.md), and leaves the actions of a batch
    as tensors: each element that an environment looks at would become an operation.
    """

    def __init__(self, policy: tf_policy.TFPolicy) -> None:
        """Args: policy: Its variables may change between two calls."""
        super().__init__(
            *map(
                tensor_spec.to_nest_array_spec,
                (
                    policy.time_step_spec,
                    policy.action_spec,
                    policy.policy_state_spec,
                    policy.info_spec,
                ),
            )
        )
        self._policy = policy
        self._counts = tuple(
            len(tf.nest.flatten(spec))
            for spec in (policy.action_spec, policy.policy_state_spec)
        )
        self._graphs: dict[int, Callable[..., list[tf.Tensor]]] = {}

    def _get_initial_state(self, batch_size: int | None) -> types.NestedTensor:
        return self._policy.get_initial_state(batch_size)

    def _action(
        self,
        time_step: ts.TimeStep,
        policy_state: types.NestedTensor,
        seed: types.Seed | None = None,
    ) -> policy_step.PolicyStep:
        del seed
        batch_size = len(time_step.step_type)
        if batch_size not in self._graphs:
            self._graphs[batch_size] = self._graph(batch_size)
        flat = [*time_step[:3], *tf.nest.flatten((time_step.observation, policy_state))]
        flat = self._graphs[batch_size](*map(tf.convert_to_tensor, flat))
        action, state, info = self._split(flat)
        return policy_step.PolicyStep(
            _pack(self._policy.action_spec, [tensor.numpy() for tensor in action]),
            _pack(self._policy.policy_state_spec, state),
            _pack(self._policy.info_spec, [tensor.numpy() for tensor in info]),
        )

    def _split(self, flat: list[tf.Tensor]) -> tuple[list[tf.Tensor], ...]:
        """What is of the action, the state and the info."""
        actions, states = self._counts
        end = actions + states
        return flat[:actions], flat[actions:end], flat[end:]

    def _graph(self, batch_size: int) -> Callable[..., list[tf.Tensor]]:
        """The policy's action for this size; flat tensors in, flat tensors out."""
        specs = (self._policy.time_step_spec, self._policy.policy_state_spec)

        def act(*flat: tf.Tensor) -> list[tf.Tensor]:
            step = self._policy.action(*tf.nest.pack_sequence_as(specs, flat))
            flat_step: list[tf.Tensor] = tf.nest.flatten(step)
            return flat_step

        batched = tensor_spec.add_outer_dim(specs, batch_size)
        return tf.function(act, autograph=False).get_concrete_function(
            *map(tf.TensorSpec.from_spec, tf.nest.flatten(batched))
        )


def _pack(spec: types.NestedTensorSpec, flat: list[Any]) -> Any:
    """As tf.nest, which takes 40 µs for what is a single tensor mostly, or nothing."""
    if isinstance(spec, tf.TypeSpec):
        return flat[0]
    return tf.nest.pack_sequence_as(spec, flat) if flat else spec
