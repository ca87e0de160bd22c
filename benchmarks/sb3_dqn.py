"""Stable-Baselines3's DQN on CartPole-v1: trains one seed to the target, on the CPU.

`python sb3_dqn.py --seed=0` prints what came of it as one JSON line; `Measured` says
what the fields mean. It runs in a virtual environment of its own, so it imports nothing
of this project. Settings: `dqn.yml` of RL Baselines3 Zoo, CartPole-v1. PyTorch takes as
many threads as it does by default, unless `--threads` says otherwise.

The target is judged as ours is: the average return of 10 greedy episodes must be 475
twice in a row, with the same weights and fresh episodes.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import sys
import time
from pathlib import Path

# The time that it takes to import these is part of what is measured, as it is for ours.
import numpy as np
import torch  # type: ignore[import-not-found]
from stable_baselines3 import DQN  # type: ignore[import-not-found]
from stable_baselines3.common.callbacks import (  # type: ignore[import-not-found]
    BaseCallback,
)

# No plain import: whether types of it are known depends on what else is installed.
gymnasium = importlib.import_module("gymnasium")

_TASK = "CartPole-v1"
_TARGET_RETURN = 475.0
_EPISODES = 10

# Environment steps between two evaluations; they happen after training rounds only.
# After each round they would take about as long as everything else.
_EVALUATION_INTERVAL = 1000

# Of the zoo. Exploration ends after 0.16 of these steps.
_STEPS = 50_000
_EXPLORATION_FRACTION = 0.16

# So much longer than the zoo we go on, with the least exploration.
_PATIENCE = 2


@dataclasses.dataclass
class Measured:
    """What is printed.

    Attributes:
      seed: Of weights, exploration and environments.
      solved: Whether the target was reached.
      env_steps: Taken in training until then, or until we gave up.
      updates: Gradient steps, of batches of 64 transitions.
      seconds: Since this process started, with all imports and evaluations.
      collect_seconds: Of these, spent in collecting.
      train_seconds: Of these, spent in updates.
      evaluate_seconds: Of these, spent in evaluations.
      average_return: Of the last evaluation.
      threads: Of PyTorch.
    """

    seed: int
    solved: bool = False
    env_steps: int = 0
    updates: int = 0
    seconds: float = 0.0
    collect_seconds: float = 0.0
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    average_return: float | None = None
    threads: int = 0


def make_model(seed: int) -> DQN:
    """The agent with the zoo's settings."""
    return DQN(
        "MlpPolicy",
        gymnasium.make(_TASK),
        learning_rate=2.3e-3,
        batch_size=64,
        buffer_size=100_000,
        learning_starts=1000,
        gamma=0.99,
        target_update_interval=10,
        train_freq=256,
        gradient_steps=128,
        # A fraction of all steps, of which there are more here.
        exploration_fraction=_EXPLORATION_FRACTION / _PATIENCE,
        exploration_final_eps=0.04,
        policy_kwargs={"net_arch": [256, 256]},
        seed=seed,
        device="cpu",
    )


class Evaluation(BaseCallback):
    """Evaluates between rounds of collecting and training; ends the run at the target.

    Attributes:
      measured: What has been found so far.
    """

    def __init__(self, seed: int) -> None:
        """Makes environments that training never sees.

        Args:
          seed: Of the run.
        """
        super().__init__()
        self.measured = Measured(seed)
        self._environments = [gymnasium.make(_TASK) for _ in range(_EPISODES)]
        self._seeds = np.random.SeedSequence(seed)
        self._next = _EVALUATION_INTERVAL
        self._mark = 0.0

    def lap(self) -> float:
        """Seconds since the last call."""
        before, self._mark = self._mark, time.monotonic()
        return self._mark - before

    def _on_training_start(self) -> None:
        self.lap()

    def _on_rollout_start(self) -> None:
        """Follows the updates."""
        self.measured.train_seconds += self.lap()
        updates = self.model._n_updates  # noqa: SLF001, it has no other name
        # Untrained weights never count, however lucky they are.
        if updates == 0 or self.num_timesteps < self._next:
            return
        self._next = self.num_timesteps + _EVALUATION_INTERVAL
        self.measured.solved = all(self._evaluate() >= _TARGET_RETURN for _ in range(2))
        self.measured.evaluate_seconds += self.lap()
        self.measured.env_steps = self.num_timesteps
        self.measured.updates = updates
        self.measured.seconds = seconds_since_start()

    def _on_rollout_end(self) -> None:
        """Precedes the updates."""
        self.measured.collect_seconds += self.lap()

    def _on_step(self) -> bool:
        """Whether to go on."""
        return not self.measured.solved

    def _evaluate(self) -> float:
        """The average return of fresh greedy episodes, played side by side."""
        seeds = self._seeds.spawn(1)[0].generate_state(_EPISODES)
        observations = np.stack(
            [
                environment.reset(seed=int(seed))[0]
                for environment, seed in zip(self._environments, seeds)
            ]
        )
        playing = list(range(_EPISODES))
        total = 0.0
        while playing:
            actions, _ = self.model.predict(observations, deterministic=True)
            steps = [
                self._environments[i].step(action)
                for i, action in zip(playing, actions)
            ]
            total += sum(float(step[1]) for step in steps)
            going_on = [not (step[2] or step[3]) for step in steps]
            playing = [i for i, on in zip(playing, going_on) if on]
            observations = np.array([s[0] for s, on in zip(steps, going_on) if on])
        self.measured.average_return = total / _EPISODES
        return self.measured.average_return


def seconds_since_start() -> float:
    """Seconds since this process was started, interpreter and imports included."""
    # The name in parentheses may hold spaces; what follows it starts with field 3.
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started_at = int(fields[22 - 3]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started_at


def train(seed: int) -> Measured:
    """Trains until the target is reached, or until it is time to give up.

    Args:
      seed: Of weights, exploration and environments.

    Returns:
      What was found at the last evaluation.
    """
    evaluation = Evaluation(seed)
    make_model(seed).learn(_PATIENCE * _STEPS, callback=evaluation)
    evaluation.measured.threads = torch.get_num_threads()
    return evaluation.measured


def main() -> None:
    """Parses, trains, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    measured = train(arguments.seed)
    if not measured.solved:
        print(f"gave up after {measured.env_steps} env steps", file=sys.stderr)
    print(json.dumps(dataclasses.asdict(measured)), flush=True)


if __name__ == "__main__":
    main()
