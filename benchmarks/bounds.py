"""What so many actors ask of a run's server, computed from what single calls cost.

Nothing here measures, and nothing but Python is imported.
"""

from __future__ import annotations

import dataclasses

# A synthetic actor's environments: the default of `Collect.envs_per_actor`.
ENVS_PER_ACTOR = 16

# What each process asks for and sends a second, see reverb_server/membership.py.
INFOS_PER_S = 2.0
ROWS_PER_S = 0.5

# Learner and eval job ask and tell as actors do.
_OTHERS = 2

# An actor's connections to the server: one for its calls, one for its sampler.
CONNECTIONS_PER_ACTOR = 2


@dataclasses.dataclass(frozen=True)
class Costs:
    """Of the server: seconds of a processor, unless it says otherwise.

    Attributes:
      idle: A second in which nobody calls.
      item: An item that is written, whatever it holds.
      sample: The same, sampled.
      pull: Weights that are fetched, whatever their size.
      push: The same, published.
      info: An answer of `server_info`.
      row: A row of figures, from its arrival to the files.
      byte_in: A byte that comes in.
      byte_out: A byte that goes out.
      info_bytes: Bytes of an answer of `server_info`.
      connection_bytes: Bytes of memory that a connection takes.
    """

    idle: float
    item: float
    sample: float
    pull: float
    push: float
    info: float
    row: float
    byte_in: float
    byte_out: float
    info_bytes: float
    connection_bytes: float

    def times(self, factor: float) -> Costs:
        """The same calls where each takes so many times the processor time."""
        names = ("item", "sample", "pull", "push", "info", "row", "byte_in", "byte_out")
        return dataclasses.replace(
            self, **{name: factor * getattr(self, name) for name in names}
        )


@dataclasses.dataclass(frozen=True)
class Workload:
    """What is learned, and how.

    Attributes:
      name: In a few words.
      env_steps_per_s: Of an actor that waits for nobody.
      updates_per_s: Of a learner that waits for nobody.
      weights_bytes: That actors pull.
      step_bytes: Of a packed step.
      transitions_per_item: `Replay.transitions_per_item`.
      samples_per_insert: `Replay.samples_per_insert`; None ties nobody.
      batch_size: `Replay.batch_size`.
      max_size: `Replay.max_size`.
      envs_per_actor: `Collect.envs_per_actor`.
      pull_interval_s: `Collect.pull_interval_s`.
      publish_interval_s: `Train.publish_interval_s`.
    """

    name: str
    env_steps_per_s: float
    updates_per_s: float
    weights_bytes: float = 30_000
    step_bytes: float = 48
    transitions_per_item: int = 8
    samples_per_insert: float | None = 8.0
    batch_size: int = 64
    max_size: int = 100_000
    envs_per_actor: int = ENVS_PER_ACTOR
    pull_interval_s: float = 0.25
    publish_interval_s: float = 0.25

    @property
    def item_bytes(self) -> float:
        """Of a transition's two steps one is new where items share steps."""
        n = self.transitions_per_item
        return self.step_bytes * (1 if n == 1 else 2 * n)


@dataclasses.dataclass(frozen=True)
class Host:
    """What the server's host has.

    Attributes:
      cores: Processors.
      bytes_per_s: Of its network, each way.
      files: Open files that a process may have (`ulimit -n`).
    """

    cores: float = 8
    bytes_per_s: float = 1.25e9  # 10 Gbit/s
    files: int = 65_536


@dataclasses.dataclass(frozen=True)
class Demand:
    """What so many actors come to, a second.

    Attributes:
      env_steps_wanted: That actors would take if they never waited.
      env_steps: That they take: the learner may hold them.
      updates: Gradient steps.
      experience: Processors that the server needs for items, in and out.
      weights: For weights.
      looks: For answers of `server_info`.
      figures: For rows; they are worked off by one thread.
      idle: For itself.
      bytes_in: Into the server.
      bytes_out: Out of it.
      connections: To the server.
      connections_bytes: Memory for them.
      inserts_ahead: Transitions by which the rate limiter lets actors be ahead, since
        each may have so many on its way; not a second.
    """

    env_steps_wanted: float
    env_steps: float
    updates: float
    experience: float
    weights: float
    looks: float
    figures: float
    idle: float
    bytes_in: float
    bytes_out: float
    connections: int
    connections_bytes: float
    inserts_ahead: float

    @property
    def cores(self) -> float:
        """Processors that the server needs in all."""
        return self.experience + self.weights + self.looks + self.figures + self.idle

    def bounds(self, workload: Workload, host: Host) -> list[str]:
        """What is not enough, the worst first; empty if all is."""
        shares = {
            "learner": self.env_steps_wanted / self.env_steps,
            "server CPU": self.cores / host.cores,
            "telemetry": self.figures,
            "network": max(self.bytes_in, self.bytes_out) / host.bytes_per_s,
            "open files": self.connections / host.files,
            "rate limiter": self.inserts_ahead / workload.max_size,
        }
        over = {name: share for name, share in shares.items() if share > 1}
        return sorted(over, key=lambda name: -over[name])


def demand(workload: Workload, costs: Costs, actors: int) -> Demand:
    """Computes what is asked of the server.

    Args:
      workload: What is learned.
      costs: Of single calls.
      actors: Of the run.

    Returns:
      What they come to if the server had processors and network without end.
    """
    work, members = workload, actors + _OTHERS
    wanted = actors * work.env_steps_per_s
    env_steps, updates = _together(work, wanted)
    items = env_steps / work.transitions_per_item
    samples = updates * work.batch_size / work.transitions_per_item
    # A sampled item holds all its steps, shared or not.
    sample_bytes = 2 * work.step_bytes * work.transitions_per_item
    pulls, pushes = (actors + 1) / work.pull_interval_s, 1 / work.publish_interval_s
    into = costs.byte_in * items * work.item_bytes
    out = costs.byte_out * samples * sample_bytes
    carried = costs.byte_out * pulls + costs.byte_in * pushes
    return Demand(
        env_steps_wanted=wanted,
        env_steps=env_steps,
        updates=updates,
        experience=costs.item * items + costs.sample * samples + into + out,
        weights=costs.pull * pulls + costs.push * pushes + carried * work.weights_bytes,
        looks=costs.info * INFOS_PER_S * members,
        figures=costs.row * ROWS_PER_S * members,
        idle=costs.idle,
        bytes_in=items * work.item_bytes + pushes * work.weights_bytes,
        bytes_out=samples * sample_bytes
        + pulls * work.weights_bytes
        + INFOS_PER_S * members * costs.info_bytes,
        connections=CONNECTIONS_PER_ACTOR * members,
        connections_bytes=CONNECTIONS_PER_ACTOR * members * costs.connection_bytes,
        inserts_ahead=actors * max(work.envs_per_actor, work.transitions_per_item),
    )


def _together(work: Workload, wanted: float) -> tuple[float, float]:
    """Environment steps and updates a second, with who waits for whom."""
    if work.samples_per_insert is None:
        return wanted, work.updates_per_s
    per_update = work.batch_size / work.samples_per_insert
    env_steps = min(wanted, work.updates_per_s * per_update)
    return env_steps, env_steps / per_update


def fixed_costs(
    small: tuple[float, float], large: tuple[float, float]
) -> tuple[float, float]:
    """What a call costs whatever it carries, and what a byte costs.

    Args:
      small: Bytes of a call, and its cost.
      large: The same of one that carries more.

    Returns:
      Cost of a call, and of a byte.
    """
    per_byte = max((large[1] - small[1]) / (large[0] - small[0]), 0.0)
    return max(small[1] - small[0] * per_byte, 0.0), per_byte
