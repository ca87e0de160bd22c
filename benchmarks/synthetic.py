"""What calls of actors cost a real server, and what many actors come to.

The part of `python -m benchmarks.scaling --synthetic`. Each call is measured alone,
with more and more actors connected. Among others a call takes more: caches are cold,
and less is sent at a time. How many times more, a mixture of calls says. Whether that
is right, another mixture and a run of real actors say.

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

# Environment steps a second of an actor that waits, and of a quicker one.
_SLOW, _QUICK = 100, 1_000

# Transitions in an item of either server.
_MANY, _ONE = 8, 1


@dataclasses.dataclass(frozen=True)
class Measured:
    """Of one server.

    Attributes:
      costs: Seconds of its processor by the name of the call; of a second for `idle`.
      sizes: Bytes, see `Rig.sizes`.
      connection_bytes: Of its memory, for each connection.
      factor: How many times as much calls take among others.
    """

    costs: Mapping[str, float]
    sizes: Mapping[str, float]
    connection_bytes: float = 0.0
    factor: float = 1.0


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
    """All calls with weights of 30 kB, and mixtures, with more and more actors.

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
            slow = rig.call(_calls_per_s(_SLOW), seconds)
            factor = slow.factor(costs)
            measured[number] = Measured(costs, sizes, memory / connections, factor)
            quick = rig.call(_calls_per_s(_QUICK), seconds)
            checks.append(_check(number, _SLOW, slow, costs, 1.0))
            checks.append(_check(number, _QUICK, quick, costs, factor))
    return measured, checks


def measure_large(actors: int, seconds: float, told: report.Report) -> Measured:
    """Calls that carry something: weights of 7 MB, and one transition in an item."""
    with synthetic_rig.running(_LARGE, _ONE) as rig:
        rig.connect(actors)
        sizes = rig.sizes()
        found = costs_of_calls(rig, _CARRYING, seconds)
        told.rows.append(_row(actors, sizes, _ONE, found, rig.holds()))
    return Measured(found, sizes)


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


def _calls_per_s(env_steps_per_s: float) -> dict[str, float]:
    """Of an actor; rounds of its environments for items."""
    return {
        "item": env_steps_per_s / bounds.ENVS_PER_ACTOR,
        "pull": 1 / bounds.Workload.pull_interval_s,
        "info": bounds.INFOS_PER_S,
        "row": bounds.ROWS_PER_S,
    }


def _check(
    actors: int,
    env_steps_per_s: int,
    mixed: synthetic_rig.Work,
    costs: Mapping[str, float],
    factor: float,
) -> dict[str, Any]:
    """What costs predict of a mixture, and what was measured.

    Args:
      actors: That are connected.
      env_steps_per_s: Of an actor that would make such calls.
      mixed: The mixture.
      costs: Of single calls, alone.
      factor: How many times as much they should take.
    """
    calls_per_s = _calls_per_s(env_steps_per_s)
    others = sum(mixed.counts[name] for name in calls_per_s if name != "item")
    others_per_s = sum(calls_per_s.values()) - calls_per_s["item"]
    return {
        "actors": f"{actors:,} synthetic, {env_steps_per_s:,} env steps/s each",
        "calls as of": round(others / mixed.elapsed_s / others_per_s),
        "costs times": factor,
        "cores, predicted": mixed.predicted_s(costs, factor) / mixed.elapsed_s,
        "cores, measured": mixed.cpu_s / mixed.elapsed_s,
        "predicted / measured": mixed.predicted_s(costs, factor) / mixed.cpu_s,
    }


def check_real_run(
    costs: bounds.Costs, small: Measured, seconds: float
) -> dict[str, Any]:
    """What the costs predict of a run with two real actors and a learner.

    Args:
      costs: With `_MANY` transitions in an item.
      small: What they are of.
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
        small.sizes["weights_bytes"],
        transitions_per_item=_MANY,
        samples_per_insert=None,
    )
    predicted = bounds.demand(workload, costs, actors).cores
    return {
        "actors": f"{actors} real, and a learner",
        "calls as of": actors,
        "costs times": small.factor,
        "cores, predicted": predicted,
        "cores, measured": measured,
        "predicted / measured": predicted / measured,
    }


def combine(small: Measured, large: Measured) -> dict[int, bounds.Costs]:
    """The costs of calls and bytes among others, by the transitions in an item."""
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
        ).times(small.factor)
        for per_item, own in ((_MANY, small), (_ONE, large))
    }


def main(actors: Sequence[int], seconds: float, json_path: str | None) -> int:
    """Measures, checks, predicts, and prints the tables."""
    told = report.Report(
        "scaling_synthetic", {"seconds": seconds, "actors": list(actors)}
    )
    fitting = synthetic_rig.allowed(actors)
    fewest = fitting[0]
    small, checks = measure_small(fitting, seconds, told)
    large = measure_large(fewest, seconds, told)
    costs = {number: combine(each, large) for number, each in small.items()}
    real = check_real_run(costs[fewest][_MANY], small[fewest], 2 * seconds)
    checks.append(real)
    told.show()
    print(f"\nAll calls together:\n\n{report.table(checks)}")
    told.summary["checks"] = checks
    told.summary["bounds"] = bounds_tables.tell(costs)
    told.write(json_path)
    return EXIT_FINISHED
