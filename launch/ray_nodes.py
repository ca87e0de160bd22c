"""The nodes of a Ray cluster: which role runs where."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any, Callable

import ray
import ray.cloudpickle
import ray.exceptions
from ray.util.placement_group import PlacementGroup, placement_group
from ray.util.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    PlacementGroupSchedulingStrategy,
)

from experiment.errors import ConfigurationError
from experiment.interval import Interval
from launch import ray_runner
from launch.duration import duration
from launch.ray_child import RayChild
from launch.role import Role
from reverb_server import figures

_CHECKOUT = Path(__file__).resolve().parent.parent

# Processors that server and eval job use of one, about (README, "What you will see").
_SERVER_CPUS = 0.5
_EVAL_CPUS = 0.5

# Calls of a runner that can wait at the same time: for news, and to send a signal.
_CALLS = 4

# Seconds between two looks for news; and until it is said, and said again, that a
# process waits for a place.
_POLL_S = 0.1
_HELD_UP_S = 30.0

# Seconds for which server, learner and eval job wait for places before anything starts.
_PLACE_TIMEOUT_S = 120.0


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What the roles want of the cluster; see the flags of the same names."""

    learner_cpus: float
    learner_gpus: int
    actor_cpus: float
    shared_root_dir: bool
    server_apart: bool

    def resources(self, module: str) -> dict[str, float]:
        """What a process of a role is given by Ray."""
        if module == figures.LEARNER:
            return {"num_cpus": self.learner_cpus, "num_gpus": self.learner_gpus}
        cpus = {
            figures.SERVER: _SERVER_CPUS,
            figures.EVAL_JOB: _EVAL_CPUS,
            figures.ACTOR: self.actor_cpus,
        }
        return {"num_cpus": cpus[module], "num_gpus": 0}


class RayNodes:
    """Starts processes on the nodes.

    Those that write into the run's folder keep their places: what Ray has given them
    is not given to an actor while they are started again.
    """

    def __init__(
        self, wishes: Wishes, logs_dir: Path, say: Callable[[str], None]
    ) -> None:
        """Starts nothing yet; Ray is connected.

        Args:
          wishes: What the roles want.
          logs_dir: Where logs go, on this machine.
          say: Shows a line to the user.
        """
        ray.cloudpickle.register_pickle_by_value(ray_runner)
        self._runner_of = ray.remote(ray_runner.Runner)
        self._wishes = wishes
        self._logs_dir = logs_dir
        self._say = say
        self._together: PlacementGroup | None = None
        self._kept: dict[str, Any] = {}
        self._children: list[RayChild] = []
        self._look, self._held_up = Interval(_POLL_S), Interval(_HELD_UP_S)

    def place(self, port: int | None, should_stop: Callable[[], bool]) -> str | None:
        """Finds places for server, learner and eval job; holds the server's port.

        Args:
          port: The one wanted; None picks a free one.
          should_stop: Ends the wait early.

        Returns:
          host:port of the server; None if it was ended.

        Raises:
          ConfigurationError: There is no room for them, or the port is in use.
        """
        self._require_room()
        if self._wishes.shared_root_dir and not self._wishes.server_apart:
            wanted = map(self._wishes.resources, (figures.SERVER, figures.LEARNER))
            self._together = placement_group(
                [{"CPU": r["num_cpus"], "GPU": r["num_gpus"]} for r in wanted],
                strategy="STRICT_PACK",
            )
        roles = (figures.SERVER, figures.LEARNER, figures.EVAL_JOB)
        self._kept = {module: self._runner(module) for module in roles}
        held = self._kept[figures.SERVER].hold_port.remote(port)
        places = [each.where.remote() for each in self._kept.values()]
        deadline = time.monotonic() + _PLACE_TIMEOUT_S
        while ray.wait([held, *places], num_returns=1 + len(places), timeout=0.5)[1]:
            if should_stop():
                return None
            if time.monotonic() > deadline:
                raise ConfigurationError(self._no_room())
        try:
            _, host = ray.get(places[0])
            return f"{host}:{ray.get(held)}"
        except ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, ConfigurationError):
                raise cause from error
            raise ConfigurationError(f"{self._no_room()} Ray says: {error}") from error

    def start(self, role: Role, *, is_restart: bool) -> RayChild:
        """Asks for a process; it starts when there is a place for it."""
        runner = self._kept.get(role.module)
        if runner is None:
            runner = self._runner(role.module)
            if role.module != figures.ACTOR:
                self._kept[role.module] = runner
        child = RayChild(role, is_restart, runner, self._logs_dir, self.poll)
        self._children.append(child)
        return child

    def poll(self) -> None:
        """Lets all children take what is new, if that is due."""
        if not self._look.due():
            return
        asked = {child.news: child for child in self._children if child.news}
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0)
        for news in ready:
            child = asked[news]
            child.take()
            if child.is_lost:
                self._kept.pop(child.name, None)
        self._children = [child for child in self._children if child.news]
        if self._held_up.due():
            self._tell_who_waits()

    def _runner(self, module: str) -> Any:
        """A new runner for a role, which waits for a place."""
        return self._runner_of.options(
            max_concurrency=_CALLS,
            scheduling_strategy=self._strategy(module),
            **self._wishes.resources(module),
        ).remote(str(_CHECKOUT))

    def _strategy(self, module: str) -> Any:
        """Where Ray is to look for a place."""
        if module == figures.ACTOR:
            return "SPREAD"
        if not self._wishes.shared_root_dir:
            here = ray.get_runtime_context().get_node_id()
            return NodeAffinitySchedulingStrategy(here, soft=False)
        if self._together and module != figures.EVAL_JOB:
            return PlacementGroupSchedulingStrategy(
                self._together, 0 if module == figures.SERVER else 1
            )
        return "DEFAULT"

    def _tell_who_waits(self) -> None:
        """Says which processes have no place, and what would help."""
        now = time.monotonic()
        waiting = [
            child
            for child in self._children
            if not child.pid and now - child.asked_at > _HELD_UP_S
        ]
        if waiting:
            longest_s = max(now - child.asked_at for child in waiting)
            names = ", ".join(child.name for child in waiting)
            self._say(
                f"no place in the cluster since {duration(longest_s)} for {names}: "
                f"{_room()}; add nodes, or lower --num_actors or --actor_cpus."
            )

    def _require_room(self) -> None:
        """Refuses what no node can ever hold, however idle."""
        nodes = [each for each in ray.nodes() if each["Alive"]]
        cpus, gpus = self._wishes.learner_cpus, self._wishes.learner_gpus
        if not self._wishes.server_apart:
            cpus += _SERVER_CPUS
        if not self._wishes.shared_root_dir:
            here = ray.get_runtime_context().get_node_id()
            nodes = [each for each in nodes if each["NodeID"] == here]
            cpus += _EVAL_CPUS
        for node in nodes:
            has = node["Resources"]
            if has.get("CPU", 0) >= cpus and has.get("GPU", 0) >= gpus:
                return
        raise ConfigurationError(self._no_room())

    def _no_room(self) -> str:
        where = "on one node" if self._wishes.shared_root_dir else "on this node"
        learner = self._wishes.resources(figures.LEARNER)
        return (
            f"there is no room for server, learner and eval job {where}: they want "
            f"{_SERVER_CPUS + _EVAL_CPUS + learner['num_cpus']:g} CPUs and "
            f"{learner['num_gpus']:g} GPUs, and {_room()}. Start this command on a "
            "node that has them, or let them run anywhere by --shared_root_dir, if all "
            "nodes share the disk of --root_dir."
        )


def _room() -> str:
    """What is free in the cluster, in words."""
    free, total = ray.available_resources(), ray.cluster_resources()
    nodes = sum(each["Alive"] for each in ray.nodes())
    parts = [
        f"{free.get(name, 0):g} of {total.get(name, 0):g} {name}s"
        for name in ("CPU", "GPU")
    ]
    return f"{' and '.join(parts)} are free on {nodes} nodes"
