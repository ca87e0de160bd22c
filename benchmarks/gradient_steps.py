"""What XLA and mixed precision do to gradient steps, on the device at hand.

`python -m benchmarks.gradient_steps` trains DQN on batches of CartPole's form that do
not change, in one process without a server: with and without `Train.jit_compile` and
`Train.mixed_precision`, for a small and for a larger network. `--learner_device` is the
learner's; it trains on one device.
"""

from __future__ import annotations

import itertools
import statistics
import time
from pathlib import Path
from typing import Any, Callable

import tensorflow as tf
from absl import flags

from benchmarks import report
from experiment import definition, devices, process
from experiment import flags as shared_flags
from experiment.errors import EXIT_FINISHED
from experiment.learner_device import LearnerDevice
from learner import learning_agent
from learner.compiled_agent import CompiledAgent

_GIN_FILE = Path(__file__).with_name("cartpole.gin")

# Units of the hidden layers: that of the tutorial, and one with 50 times the weights.
_LAYERS = ("(100, 50)", "(512, 512)")

# Gradient steps of one call.
_STEPS = 8


def make_loop(layers: str, jit_compile: bool, mixed: bool) -> Callable[[], None]:
    """A call of the graph that takes `_STEPS` gradient steps, compiled already."""
    experiment = definition.load_file(
        _GIN_FILE,
        [
            f"q_network.layers = {layers}",
            f"Train.jit_compile = {jit_compile}",
            f"Train.mixed_precision = {mixed}",
        ],
    )
    agent = learning_agent.make(
        experiment, experiment.environment(), tf.distribute.get_strategy()
    ).agent
    compiled = CompiledAgent(agent, jit_compile)
    shape = (_STEPS, experiment.replay.batch_size, agent.train_sequence_length)
    batches = tf.nest.map_structure(
        lambda spec: tf.ones([*shape, *spec.shape], spec.dtype),
        agent.collect_data_spec,
    )

    def loop() -> None:
        float(compiled.train(batches).loss)

    loop()
    loop()  # The first one traces twice: it makes variables.
    return loop


def rate(loop: Callable[[], None], seconds: float) -> float:
    """Gradient steps per second."""
    start, calls = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        loop()
        calls += 1
    return calls * _STEPS / (time.monotonic() - start)


def measure(layers: str, seconds: float, rounds: int) -> list[dict[str, Any]]:
    """All four ways in turn, `rounds` times; rows with the medians."""
    ways = list(itertools.product((False, True), repeat=2))
    loops = {way: make_loop(layers, *way) for way in ways}
    found: dict[tuple[bool, ...], list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, loop in loops.items():
            found[way].append(rate(loop, seconds))
    medians = {way: statistics.median(rates) for way, rates in found.items()}
    return [
        {
            "layers": layers,
            "XLA": "yes" if way[0] else "no",
            "hidden layers": "mixed bfloat16" if way[1] else "float32",
            "updates/s": round(medians[way]),
            "ratio": medians[way] / medians[False, False],
        }
        for way in ways
    ]


def main(
    wanted: LearnerDevice, seconds: float, rounds: int, json_path: str | None
) -> int:
    """Measures, and prints the table."""
    device = devices.for_learner(wanted)
    arguments = {"seconds": seconds, "rounds": rounds, "device": device.text}
    told = report.Report("gradient_steps", arguments)
    for layers in _LAYERS:
        told.rows += measure(layers, seconds, rounds)
    told.show()
    print(f"\ntrained on {device.text}")
    told.write(json_path)
    return EXIT_FINISHED


if __name__ == "__main__":
    _SECONDS = flags.DEFINE_float("seconds", 2.0, "To measure each way over.")
    _ROUNDS = flags.DEFINE_integer("rounds", 3, "How often each way is measured.")
    _LEARNER_DEVICE = shared_flags.define_learner_device()
    _JSON = report.define_json("gradient_steps")
    process.run(
        lambda: main(_LEARNER_DEVICE(), _SECONDS.value, _ROUNDS.value, _JSON.value)
    )
