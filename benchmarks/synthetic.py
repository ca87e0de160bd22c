"""What calls of actors cost a real server, and what many actors come to.

The part of `python -m benchmarks.scaling --synthetic`. Each call is measured alone,
with more and more actors connected; a mixture of calls, and a run of real actors, show
how far the sum of such costs is right.

No TensorFlow is imported here: see `stock_processes`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import bounds, bounds_tables, report, synthetic_rig
from benchmarks.our_run import OurRun
from benchmarks.stock_processes import Children
from benchmarks.synthetic_rig import Rig
from experiment.errors import EXIT_FINISHED

# Hidden layers of CartPole's network, with weights of 30 kB and of 7 MB.
_SMALL, _LARGE = "(120, 56)", "(1320, 1320)"

# One after another; and those of which depends on their size what they cost.
_CALLS = ("item", "item_of_many", "sample", "pull", "push", "info", "row")
_CARRYING = ("item", "sample", "pull", "push")

# Calls a second of an actor that takes 100 environment steps a second.
_MIXED = {
    "item": 100 / bounds.ENVS_PER_ACTOR,
    "pull": 4.0,
    "info": bounds.INFOS_PER_S,
    "row": bounds.ROWS_PER_S,
}

# Transitions in an item of either server.
_MANY, _ONE = 8, 1


@dataclasses.dataclass(frozen=True)
class Measured:
    """Of one server.

    Attributes:
      costs: Seconds of its processor by the name of the call; of a second for `idle`.
      sizes: Bytes, see `Rig.sizes`.
      connection_bytes: Of its memory, for each connection.
    """

    costs: Mapping[str, float]
    sizes: Mapping[str, float]
    connection_bytes: float


def costs_of_calls(rig: Rig, calls: Sequence[str], seconds: float) -> dict[str, float]:
    """What each call costs with the actors that are connected, by name.

    Args:
      rig: With some actors connected.
      calls: What to measure.
      seconds: For each.
    """
    # For longer: there is little to measure.
    nothing = rig.idle(2 * seconds + 2)
    idle = nothing.cpu_s / nothing.elapsed_s
    found = {"idle": idle}
    for name in calls:
        work = rig.call({name: 1.0}, seconds)
        found[name] = work.cost(idle)
    return found


def measure_small(
    actors: Sequence[int], seconds: float, told: report.Report
) -> tuple[dict[int, Measured], list[dict[str, Any]]]:
    """All calls with weights of 30 kB, and the mixture, with more and more actors.

    Args:
      actors: How many, from few to many.
      seconds: For each load.
      told: Gets a row for each number of actors.

    Returns:
      What was measured, by the number of actors; and of each mixture what was
      predicted and measured.
    """
    measured: dict[int, Measured] = {}
    checks = []
    with synthetic_rig.running(_SMALL, _MANY) as rig:
        sizes, before = rig.sizes(), rig.holds()["memory"]
        for number in actors:
            rig.connect(number)
            memory = rig.holds()["memory"] - before
            costs = costs_of_calls(rig, _CALLS, seconds)
            told.rows.append(_row(number, sizes, _MANY, costs, rig.holds()))
            connections = bounds.CONNECTIONS_PER_ACTOR * number
            measured[number] = Measured(costs, sizes, memory / connections)
            mixed = rig.call(_MIXED, seconds)
            checks.append(_check(number, mixed, measured[actors[0]].costs, costs))
    return measured, checks


def measure_large(actors: int, seconds: float, told: report.Report) -> Measured:
    """Calls that carry something: weights of 7 MB, and one transition in an item."""
    with synthetic_rig.running(_LARGE, _ONE) as rig:
        rig.connect(actors)
        sizes = rig.sizes()
        found = costs_of_calls(rig, _CARRYING, seconds)
        told.rows.append(_row(actors, sizes, _ONE, found, rig.holds()))
    return Measured(found, sizes, 0.0)


def _row(
    actors: int,
    sizes: Mapping[str, float],
    per_item: int,
    costs: Mapping[str, float],
    holds: Mapping[str, int],
) -> dict[str, Any]:
    """For the reader."""
    us = {name: 1e6 * cost for name, cost in costs.items()}
    return {
        "actors": actors,
        "weights, kB": round(sizes["weights_bytes"] / 1e3),
        "per item": per_item,
        "idle, ms/s": us["idle"] / 1e3,
        **{f"{name}, us": us.get(name) for name in _CALLS},
        "files": holds["files"],
        "threads": holds["threads"],
        "MB": round(holds["memory"] / 1e6),
    }


def _check(
    actors: int,
    mixed: synthetic_rig.Work,
    fewest: Mapping[str, float],
    own: Mapping[str, float],
) -> dict[str, Any]:
    """What costs of single calls predict of a mixture, and what was measured.

    Args:
      actors: That are connected.
      mixed: The mixture.
      fewest: Costs with the fewest actors connected.
      own: Costs with just these.
    """
    rate = sum(mixed.counts.values()) / mixed.elapsed_s
    return {
        "actors": f"{actors}, synthetic",
        "as many calls as of": round(rate / _actor_calls_per_s()),
        "cores, predicted": mixed.predicted_s(own) / mixed.elapsed_s,
        "cores, measured": mixed.cpu_s / mixed.elapsed_s,
        "predicted / measured": mixed.predicted_s(own) / mixed.cpu_s,
        "by the costs of the fewest": mixed.predicted_s(fewest) / mixed.cpu_s,
    }


def _actor_calls_per_s() -> float:
    """As they are counted: items, not rounds of environments."""
    items = 100 / _MANY
    return sum(_MIXED.values()) - _MIXED["item"] + items


def check_real_run(
    costs: bounds.Costs, weights_bytes: float, seconds: float
) -> dict[str, Any]:
    """What the costs predict of a run with two real actors and a learner.

    Args:
      costs: With `_MANY` transitions in an item.
      weights_bytes: Of the network.
      seconds: To measure over.
    """
    actors = 2
    with Children() as children:
        envs = f"Collect.envs_per_actor = {bounds.ENVS_PER_ACTOR}"
        run = OurRun(children, actors, [f"q_network.layers = {_SMALL}", envs])
        run.wait_until_warm()
        [pid] = {row["pid"] for row in run.rows() if row["role"] == "reverb_server"}
        before, start = synthetic_rig.cpu_s(pid), time.monotonic()
        figures = run.measure(seconds)
        measured = (synthetic_rig.cpu_s(pid) - before) / (time.monotonic() - start)
    workload = bounds.Workload(
        "a real run",
        figures.env_steps_per_s / actors,
        figures.updates_per_s,
        weights_bytes,
        transitions_per_item=_MANY,
        samples_per_insert=None,
    )
    predicted = bounds.demand(workload, costs, actors).cores
    return {
        "actors": f"{actors}, real, and a learner",
        "as many calls as of": None,
        "cores, predicted": predicted,
        "cores, measured": measured,
        "predicted / measured": predicted / measured,
        "by the costs of the fewest": predicted / measured,
    }


def combine(small: Measured, large: Measured) -> dict[int, bounds.Costs]:
    """The costs of calls and of bytes, by the transitions in an item."""
    carried = {
        name: bounds.fixed_costs(
            (small.sizes["weights_bytes"], small.costs[name]),
            (large.sizes["weights_bytes"], large.costs[name]),
        )
        for name in ("pull", "push")
    }
    (pull, byte_out), (push, byte_in) = carried["pull"], carried["push"]
    return {
        per_item: bounds.Costs(
            idle=small.costs["idle"],
            item=max(own.costs["item"] - own.sizes["item_bytes"] * byte_in, 0.0),
            sample=max(own.costs["sample"] - own.sizes["item_bytes"] * byte_out, 0.0),
            pull=pull,
            push=push,
            info=small.costs["info"],
            row=small.costs["row"],
            byte_in=byte_in,
            byte_out=byte_out,
            info_bytes=small.sizes["info_bytes"],
            connection_bytes=small.connection_bytes,
        )
        for per_item, own in ((_MANY, small), (_ONE, large))
    }


def main(actors: Sequence[int], seconds: float, json_path: str | None) -> int:
    """Measures, checks, predicts, and prints the tables."""
    told = report.Report(
        "scaling_synthetic", {"seconds": seconds, "actors": list(actors)}
    )
    fitting = synthetic_rig.allowed(sorted(actors))
    fewest = fitting[0]
    small, checks = measure_small(fitting, seconds, told)
    large = measure_large(fewest, seconds, told)
    costs = {number: combine(each, large) for number, each in small.items()}
    weights = small[fewest].sizes["weights_bytes"]
    checks.append(check_real_run(costs[fewest][_MANY], weights, 2 * seconds))
    told.show()
    print(f"\nAll calls together:\n\n{report.table(checks)}")
    told.summary["checks"] = checks
    told.summary["bounds"] = bounds_tables.tell(costs)
    told.write(json_path)
    return EXIT_FINISHED
