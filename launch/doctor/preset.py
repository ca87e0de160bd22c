"""What is to be learned: whether it can be built, fits this machine, and how fast."""

from __future__ import annotations

from collections.abc import Iterator

from tf_agents.agents import tf_agent

from experiment import available_memory, definition, presets
from experiment.definition import Experiment
from launch import memory as memory_lib
from launch.doctor import storage
from launch.doctor.benchmark import Benchmark
from launch.doctor.finding import OK, WARN, Check, Finding
from launch.doctor.options import Options
from reverb_server import replay_layout, sizes
from reverb_server.replay_layout import ReplayLayout

# Kept at a time, with the one that is being written: checkpoints, each with the target
# network and two moments of Adam; and replay tables (docs/operations.md).
_CHECKPOINTS, _WEIGHTS_EACH = 4, 4
_SNAPSHOTS = 3

# Logs, figures, videos and saved policies.
_OTHER_BYTES = 100_000_000


def checks(options: Options) -> Iterator[Check]:
    """Of the preset; each builds on the first."""
    preset = Preset(options)
    yield Check("preset", preset.build)
    yield Check("disk", preset.disk)
    yield Check("memory", preset.memory)
    if not options.no_benchmark:
        benchmark = Benchmark(preset.experiment, preset.agent, preset.layout)
        yield Check("acting", benchmark.act)
        yield Check("replay", benchmark.replay)
        yield Check("learning", benchmark.learn)


class Preset:
    """A gin file, and what it makes.

    Attributes:
      experiment: Once it is built, as are the others.
      agent: For its environment.
      layout: Of its replay table.
    """

    experiment: Experiment
    agent: tf_agent.TFAgent
    layout: ReplayLayout

    def __init__(self, options: Options) -> None:
        """Builds nothing yet."""
        self._options = options
        self._replay_bytes = 0
        self._weights_bytes = 0

    def build(self) -> Finding:
        """Makes environment and agent, as every role does."""
        path = presets.find_preset(self._options.gin_file)
        self.experiment = definition.load_file(path)
        environment = self.experiment.environment()
        self.agent, _ = self.experiment.make_agent(environment)
        replay = self.experiment.replay
        self.layout = replay_layout.replay_layout(self.agent, replay)
        sizes.check_replay(self.layout, replay)
        self._replay_bytes = sizes.replay_bytes(self.layout, replay)
        self._weights_bytes = sizes.weights_bytes(self.agent.collect_policy.variables())
        return Finding(
            OK,
            "preset",
            f"{path.name}: {self._weights_bytes / 1e6:.1f} MB of weights, "
            f"{self._replay_bytes / 1e6:.0f} MB in a full replay table",
        )

    def disk(self) -> Finding:
        """Room for checkpoints and snapshots."""
        checkpoints = _CHECKPOINTS * _WEIGHTS_EACH * self._weights_bytes
        snapshots = _SNAPSHOTS * self._replay_bytes
        return storage.disk(self._options, checkpoints + snapshots + _OTHER_BYTES)

    def memory(self) -> Finding:
        """Room for all processes and the replay table."""
        actors = storage.num_actors(self._options)
        memory_lib.check(actors)
        needed = memory_lib.needed(actors) + self._replay_bytes
        available = available_memory.available_bytes()
        found = (
            f"{available / 1e9:.1f} GB available; {actors} actors, server, learner and "
            f"eval job with a full replay table need about {needed / 1e9:.1f} GB"
        )
        if available < needed:
            remedy = "start fewer by --num_actors, or lower Replay.max_size"
            return Finding(WARN, "memory", found, remedy)
        return Finding(OK, "memory", found)
