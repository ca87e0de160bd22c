"""Every figure of `metrics.jsonl`: who gives it, in which unit, and what it means.

The one list that documentation, TensorBoard and the metrics endpoint are made from.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Any

SERVER, ACTOR, LEARNER = "reverb_server", "actor", "learner"
EVAL_JOB, SHARD, RUN = "eval_job", "replay_shard", "run"

# Processes of every run; all there can be; those that send their rows to the server.
PROCESSES = (SERVER, ACTOR, LEARNER, EVAL_JOB)
ALL_PROCESSES = (*PROCESSES, SHARD)
MEMBERS = (ACTOR, LEARNER, EVAL_JOB, SHARD)


def process_name(role: str, task: int) -> str:
    """What a process is called: its folder of curves, its log, in sentences."""
    return f"{role}-{task}" if role in (ACTOR, SHARD) else role


# The figures over which TensorBoard draws all others, and its groups of these.
AXES = {
    "train_step": "Metrics_vs_TrainSteps",
    "env_steps": "Metrics_vs_EnvironmentSteps",
}


class Kind(enum.Enum):
    """How a figure behaves over time."""

    COUNT = "count"  # Begins at 0 and only grows in the life of a process.
    VALUE = "value"  # Goes up and down.
    TIME = "time"  # Unix time.
    ALARM = "alarm"  # What is wrong, in words; None while nothing is.
    TEXT = "text"  # For people, or to tell rows apart.


@dataclasses.dataclass(frozen=True)
class Figure:
    """One key of a row.

    Attributes:
      name: The key.
      roles: Whose rows have it.
      kind: Tells numbers from words.
      unit: What it counts, or is measured in.
      meaning: In one sentence.
    """

    name: str
    roles: tuple[str, ...]
    kind: Kind
    unit: str
    meaning: str


_TRANSITIONS = "transitions"

TIME = Figure("time", (*ALL_PROCESSES, RUN), Kind.TIME, "s", "When the row was made.")

FIGURES = (
    TIME,
    Figure("role", (*ALL_PROCESSES, RUN), Kind.TEXT, "", "Whose row it is."),
    Figure("task", ALL_PROCESSES, Kind.TEXT, "", "Number of the process in its role."),
    Figure("host", ALL_PROCESSES, Kind.TEXT, "", "Name of the machine it runs on."),
    Figure("pid", ALL_PROCESSES, Kind.TEXT, "", "Its process id there."),
    Figure("memory_mb", ALL_PROCESSES, Kind.VALUE, "MiB", "Resident memory."),
    Figure(
        "cpu_percent",
        ALL_PROCESSES,
        Kind.VALUE,
        "% of a core",
        "Processor time since the row before.",
    ),
    Figure(
        "problem",
        (SERVER, LEARNER, SHARD),
        Kind.ALARM,
        "",
        "What goes wrong, but does not stop it; None if all is well.",
    ),
    Figure("has_left", MEMBERS, Kind.TEXT, "", "True in its last row."),
    # --- Server -------------------------------------------------------------------
    Figure("num_actors", (SERVER,), Kind.VALUE, "actors", "Asked for last."),
    Figure(
        "replay_size",
        (SERVER, SHARD),
        Kind.VALUE,
        _TRANSITIONS,
        "In the replay table.",
    ),
    Figure(
        "replay_max_size",
        (SERVER,),
        Kind.VALUE,
        _TRANSITIONS,
        "What the replay table holds at most.",
    ),
    Figure(
        "env_steps",
        (SERVER,),
        Kind.VALUE,  # Goes back to a snapshot, as all train steps do.
        _TRANSITIONS,
        "Environment steps of the run, resumed ones included, that were inserted.",
    ),
    Figure(
        "env_steps_per_s",
        (SERVER, SHARD, ACTOR),
        Kind.VALUE,
        "1/s",
        "Environment steps a second since the row before.",
    ),
    Figure(
        "samples_per_s",
        (SERVER,),
        Kind.VALUE,
        "1/s",
        "Transitions sampled a second since the row before.",
    ),
    Figure(
        "samples_per_insert",
        (SERVER,),
        Kind.VALUE,
        "",
        "Samples per insert over the last 10 seconds; None if nothing was inserted.",
    ),
    Figure(
        "samples_per_insert_wanted",
        (SERVER,),
        Kind.VALUE,
        "",
        "What the rate limiter keeps to; None if it leaves both sides free.",
    ),
    Figure(
        "train_step",
        (SERVER,),
        Kind.VALUE,
        "gradient steps",
        "Of the learner, as it last said: this row's place on both axes.",
    ),
    Figure(
        "stall",
        (SERVER,),
        Kind.ALARM,
        "",
        "Who waits for whom, why, and what helps; None while the run moves.",
    ),
    Figure("shard_env_steps", (SERVER,), Kind.TEXT, "", "Each one's part of them all."),
    Figure("lost_shards", (ACTOR, LEARNER), Kind.TEXT, "", "Which it cannot reach."),
    Figure("address", (SHARD,), Kind.TEXT, "", "As the first server hears it."),
    # --- Actor --------------------------------------------------------------------
    Figure("env_steps", (ACTOR,), Kind.COUNT, "steps", "Taken by this process so far."),
    Figure("episodes", (ACTOR,), Kind.COUNT, "episodes", "Ended so far."),
    Figure(
        "average_return",
        (ACTOR,),
        Kind.VALUE,
        "return",
        "Over its last 20 episodes, exploration included; abandoned ones are not.",
    ),
    Figure(
        "environment_failures",
        (ACTOR,),
        Kind.COUNT,
        "",
        "Times that an environment failed and was made anew.",
    ),
    Figure(
        "environment_stalled_s",
        (ACTOR,),
        Kind.VALUE,
        "s",
        "How long an environment has not come back; 0 below 10.",
    ),
    Figure(
        "policy_train_step",
        (ACTOR,),
        Kind.VALUE,
        "gradient steps",
        "Of the weights that it acts with.",
    ),
    Figure(
        "waited_s",
        (ACTOR,),
        Kind.COUNT,
        "s",
        "Spent waiting for the replay table so far, a wait that goes on included; with "
        "an on-policy agent also for new weights.",
    ),
    # --- Learner ------------------------------------------------------------------
    Figure("device", (LEARNER,), Kind.TEXT, "", "What it trains on, in words."),
    Figure("train_step", (LEARNER,), Kind.VALUE, "gradient steps", "Taken so far."),
    Figure(
        "max_train_steps",
        (LEARNER,),
        Kind.VALUE,
        "gradient steps",
        "After which the run ends.",
    ),
    Figure(
        "updates_per_s",
        (LEARNER,),
        Kind.VALUE,
        "1/s",
        "Gradient steps a second since the row before.",
    ),
    Figure("loss", (LEARNER,), Kind.VALUE, "", "Of the newest gradient steps."),
    Figure(
        "policy_lag",
        (LEARNER,),
        Kind.VALUE,
        "gradient steps",
        "Mean age of the policies that chose the actions trained on since the row "
        "before.",
    ),
    Figure(
        "policy_lag_median",
        (LEARNER,),
        Kind.VALUE,
        "gradient steps",
        "The same in the newest batches: half of the actions have less.",
    ),
    Figure(
        "policy_lag_p95",
        (LEARNER,),
        Kind.VALUE,
        "gradient steps",
        "The same: 95 % of the actions have less.",
    ),
    Figure(
        "waited_s", (LEARNER,), Kind.COUNT, "s", "Spent waiting for batches so far."
    ),
    Figure(
        "dropped_windows",
        (LEARNER,),
        Kind.COUNT,
        "windows",
        "Of other weights than the present ones, not trained on; else 0.",
    ),
    Figure(
        "snapshot",
        (LEARNER,),
        Kind.TEXT,
        "",
        "In a row of its own: `train_step` and `path` of a snapshot of the replay "
        "table; `path` is None if it could not be written.",
    ),
    # --- Eval job -----------------------------------------------------------------
    Figure("train_step", (EVAL_JOB,), Kind.VALUE, "gradient steps", "Judged last."),
    Figure(
        "average_return",
        (EVAL_JOB,),
        Kind.VALUE,
        "return",
        "Of those weights, greedy.",
    ),
    Figure(
        "std_return", (EVAL_JOB,), Kind.VALUE, "return", "Standard deviation of it."
    ),
    Figure(
        "target_return",
        (EVAL_JOB,),
        Kind.VALUE,
        "return",
        "At which the run ends; None if at none.",
    ),
    # --- The end ------------------------------------------------------------------
    Figure("status", (RUN,), Kind.TEXT, "", "Why the run has ended; one row."),
    Figure("train_step", (RUN,), Kind.VALUE, "gradient steps", "Of its final weights."),
)


def numbers(role: str) -> list[Figure]:
    """The figures of a role that can be drawn."""
    drawn = (Kind.COUNT, Kind.VALUE)
    return [each for each in FIGURES if role in each.roles and each.kind in drawn]


def is_number(value: object) -> bool:
    """Whether TensorBoard and tables can hold a value: an int has 64 bits there."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return isinstance(value, float)


def number(row: dict[str, Any], figure: Figure) -> float | None:
    """A row's value of a figure; None if it has none, or none that is finite."""
    value: Any = row.get(figure.name)
    return value if is_number(value) and math.isfinite(value) else None
