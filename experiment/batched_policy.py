"""A TensorFlow policy for a batch of NumPy environments."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tf_agents.policies import py_tf_eager_policy
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types


class BatchedPolicy(py_tf_eager_policy.PyTFEagerPolicy):
    """PyTFEagerPolicy whose actions are NumPy arrays for batched environments too.

    The stock one leaves them as tensors then, and each element that an environment
    or an observer looks at becomes a TensorFlow operation of its own.
    """

    def __init__(self, policy: Any) -> None:
        """Args: policy: A `TFPolicy`."""
        super().__init__(policy, use_tf_function=True, batch_time_steps=False)

    def _action(
        self,
        time_step: ts.TimeStep,
        policy_state: types.NestedTensor,
        seed: types.Seed | None = None,
    ) -> policy_step.PolicyStep:
        step = super()._action(time_step, policy_state, seed)
        return step._replace(
            action=tf.nest.map_structure(_to_array, step.action),
            info=tf.nest.map_structure(_to_array, step.info),
        )


def _to_array(tensor: tf.Tensor) -> types.Array:
    return tensor.numpy()
