"""A small run of an on-policy agent."""

from __future__ import annotations

from experiment import definition
from experiment.definition import Experiment

# Transitions of a window, and windows of a batch: one of each environment.
LENGTH, WINDOWS = 6, 4

PPO = f"""
gym_environment.name = 'CartPole-v1'
Experiment.agent = @ppo_agent
categorical_actor_network.layers = (8,)
value_network.layers = (8,)
ppo_agent.epochs = 2
ppo_agent.minibatches = 3
Replay.sequence_length = {LENGTH + 1}
Replay.sequence_stride = {LENGTH}
Replay.batch_size = {WINDOWS}
Replay.transitions_per_item = 1
Replay.samples_per_insert = None
Collect.envs_per_actor = {WINDOWS}
Collect.initial_collect_steps = 0
Collect.pull_interval_s = 0.005
Train.steps_per_call = 1
Train.jit_compile = False
"""

# Of one batch.
GRADIENT_STEPS = 6


def load(*bindings: str) -> Experiment:
    """The experiment, with these bindings beside."""
    return definition.load_text("\n".join([PPO, *bindings]))
