"""Tables of what is predicted for some workloads and more and more actors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from benchmarks import bounds, report

_PREDICTED_ACTORS = (10, 100, 1_000, 10_000)


def _seldom(work: bounds.Workload) -> bounds.Workload:
    """The same with weights that are published and pulled less often."""
    return dataclasses.replace(
        work,
        name=f"{work.name}, weights every 10 s",
        pull_interval_s=10.0,
        publish_interval_s=10.0,
    )


# Updates are those of `benchmarks.learner`; of images they are a guess.
_SLOW = bounds.Workload("slow environments", 100, 3_800)
_IMAGES = bounds.Workload(
    "images",
    env_steps_per_s=100,
    updates_per_s=200,
    weights_bytes=7e6,
    step_bytes=7_088,
    transitions_per_item=1,
)
_WORKLOADS = (
    _SLOW,
    _seldom(_SLOW),
    bounds.Workload("quick environments", 10_000, 3_800),
    _IMAGES,
    _seldom(_IMAGES),
)


def predict(
    workload: bounds.Workload, costs: Mapping[int, bounds.Costs], host: bounds.Host
) -> list[dict[str, Any]]:
    """For the reader: what more and more actors come to, and what is not enough.

    Args:
      workload: What is learned.
      costs: By the number of actors that they were measured with.
      host: Of the server.
    """
    rows = []
    for actors in _PREDICTED_ACTORS:
        known = max((n for n in costs if n <= actors), default=min(costs))
        found = bounds.demand(workload, costs[known], actors)
        rows.append(
            {
                "actors": actors,
                "env steps/s": round(found.env_steps),
                "of": round(found.env_steps_wanted),
                "updates/s": round(found.updates),
                "cores: items": found.experience,
                "weights": found.weights,
                "looks": found.looks,
                "figures": found.figures,
                "all": found.cores,
                "MB/s in": found.bytes_in / 1e6,
                "out": found.bytes_out / 1e6,
                "connections": found.connections,
                "their MB": round(found.connections_bytes / 1e6),
                "ahead": round(found.inserts_ahead),
                "bound by": ", ".join(found.bounds(workload, host)) or "nothing",
            }
        )
    return rows


def tell(
    costs: Mapping[int, Mapping[int, bounds.Costs]],
) -> dict[str, list[dict[str, Any]]]:
    """Prints the tables.

    Args:
      costs: By the number of actors that they were measured with, then by the
        transitions in an item.

    Returns:
      The rows of each workload, by its name.
    """
    host, found = bounds.Host(), {}
    gbit_per_s = f"{host.bytes_per_s * 8 / 1e9:g} Gbit/s"
    print(f"\nWith {host.cores:g} cores, {gbit_per_s} and {host.files:,} open files:")
    for work in _WORKLOADS:
        own = {
            number: each[work.transitions_per_item] for number, each in costs.items()
        }
        rows = found[work.name] = predict(work, own, host)
        print(f"\n{work.name}:\n\n{report.table(rows)}", flush=True)
    return found
