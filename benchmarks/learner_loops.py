"""The process of `benchmarks.learner` that trains."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

import tensorflow as tf
from absl import flags
from tf_agents.agents import tf_agent

from experiment import definition, devices, process
from experiment import flags as shared_flags
from experiment.errors import EXIT_FINISHED
from experiment.learner_device import LearnerDevice
from learner import builder
from learner.compiled_agent import CompiledAgent
from learner.trainer import Trainer
from reverb_server import membership

# Items in the table before anything is measured.
_ITEMS = 1_500

# Gradient steps of one call of a loop.
_STEPS = 32

# Calls of a loop before it is measured.
_WARM_UP_CALLS = 3


def fixed_batch_loop(agent: tf_agent.TFAgent, batch: Any) -> Callable[[], None]:
    """The loop that one would write by hand, on one batch [B, T, ...]."""

    @tf.function
    def loop() -> None:
        for _ in tf.range(_STEPS):
            agent.train(batch)

    return loop


def replay_loop(trainer: Trainer) -> Callable[[], None]:
    """The learner's own step."""

    def loop() -> None:
        while not trainer.run(_STEPS):
            pass

    return loop


def rate(loop: Callable[[], None], seconds: float) -> float:
    """Gradient steps per second."""
    for _ in range(_WARM_UP_CALLS):
        loop()
    start, calls = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        loop()
        calls += 1
    return calls * _STEPS / (time.monotonic() - start)


def main(address: str, seconds: float, rounds: int) -> int:
    """Joins, waits for data, measures."""
    stop = process.StopSignal()
    device = devices.for_learner(LearnerDevice())
    run = membership.Membership(address, "learner", stop)
    experiment = definition.load_run(run.manifest)
    with tempfile.TemporaryDirectory() as folder:
        trainer = builder.build(experiment, run, Path(folder), device.strategy())
        trainer.publish()
        per_item = experiment.replay.env_steps_per_item
        while run.env_steps(per_item) < _ITEMS * per_item and run.is_running():
            time.sleep(0.1)
        print(json.dumps({"env_steps": run.env_steps(per_item)}), flush=True)
        trainer.run(_STEPS)
        stack, _ = next(trainer.batches)
        batch = tf.nest.map_structure(lambda column: column[0], stack)
        many = tf.nest.map_structure(lambda column: tf.stack([column] * _STEPS), batch)
        compiled = CompiledAgent(trainer.agent, experiment.train.jit_compile)
        loops = {
            "fixed batch": fixed_batch_loop(trainer.agent, batch),
            "replay": replay_loop(trainer),
            "fixed stack": lambda: compiled.train(many),
        }
        found: dict[str, list[float]] = {name: [] for name in loops}
        for _ in range(rounds):
            for name, loop in loops.items():
                found[name].append(rate(loop, seconds))
        medians = {name: statistics.median(rates) for name, rates in found.items()}
        print(json.dumps(medians), flush=True)
    run.leave()
    return EXIT_FINISHED


if __name__ == "__main__":
    _ADDRESS = shared_flags.define_server_address()
    _SECONDS = flags.DEFINE_float("seconds", 4.0, "To measure each loop over.")
    _ROUNDS = flags.DEFINE_integer("rounds", 3, "How often each loop is measured.")
    process.run(
        lambda: main(
            shared_flags.required(_ADDRESS, "localhost:8008"),
            _SECONDS.value,
            _ROUNDS.value,
        )
    )
