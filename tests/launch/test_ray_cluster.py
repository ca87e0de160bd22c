"""launch/ray_cluster.py: a run on a real Ray cluster of three nodes on this machine."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from experiment import run_dir
from tests.faults.running import Running
from tests.system.commands import CHECKOUT, TIMEOUT_S, Command

_NODES = Path(__file__).with_name("ray_nodes_of_a_test.py")
_RUN_MODULE = str(CHECKOUT / "launch" / "run_module.py")


class RayCluster:
    """Three nodes of two CPUs each, the head first.

    Attributes:
      command: Runs them; all processes on the nodes are of it.
      address: host:port.
      raylets: Process ids, one a node.
    """

    def __init__(self, folder: Path) -> None:
        self.command = Command([sys.executable, str(_NODES), "2", "2", "2"], folder)
        self.command.wait_until(lambda: "\n" in self.command.output, TIMEOUT_S)
        self.address, *raylets = self.command.output.split("\n")[0].split()
        self.raylets = [int(pid) for pid in raylets]

    def node_of(self, pid: int) -> int:
        """The raylet that a process runs under."""
        above = {process.pid for process in psutil.Process(pid).parents()}
        [raylet] = above & set(self.raylets)
        return raylet

    def roles(self) -> list[str]:
        """The command lines of all processes of runs."""
        lines = [" ".join(each.cmdline()) for each in self.command.processes()]
        return [line for line in lines if _RUN_MODULE in line]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """A cluster that tests may leave with fewer nodes."""
    made = RayCluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.command.kill()


def launched(folder: Path, *flags: str) -> Command:
    """The launcher, started."""
    return Command([sys.executable, _RUN_MODULE, "launch.ray_cluster", *flags], folder)


def places(running: Running, name: str) -> list[str]:
    """The nodes on which a role was started, one after another."""
    log = running.folder / run_dir.LOGS_DIR / f"{name}.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    return re.findall(r"^started by Ray as .* \((\w+)\)$", text, re.MULTILINE)


def test_a_run_reaches_its_target_though_a_node_is_lost(
    cluster: RayCluster, tmp_path: Path
) -> None:
    """Its actor is started again on another one, and all else as on one machine."""
    command = launched(
        tmp_path,
        f"--address={cluster.address}",
        "--root_dir=run",
        "--num_actors=2",
        "--target_return=200",
    )
    try:
        running = Running(command, tmp_path / "run")
        running.wait(
            lambda: (
                running.count("learner", "train_step")
                and all(any(running.rows("actor", task=task)) for task in (0, 1))
            )
        )
        lost = running.rows("actor", task=1)[-1]["pid"]
        raylet = cluster.node_of(lost)
        assert raylet != cluster.raylets[0]
        psutil.Process(raylet).kill()
        running.wait(lambda: len(places(running, "actor-1")) > 1)
        assert command.wait(2 * TIMEOUT_S) == 0, command.output
    finally:
        command.kill()
    assert cluster.roles() == []
    assert "raylet" not in command.output  # Ray's own words would break the picture.

    first, second = places(running, "actor-1")
    [head] = {*places(running, "reverb_server"), *places(running, "learner")}
    assert places(running, "eval_job") == [head]
    assert len({head, first, *places(running, "actor-0")}) == 3
    assert second in places(running, "actor-0")

    [said] = [
        line for line in command.output.splitlines() if "starting it again" in line
    ]
    assert re.match(r"actor-1 failed .* \(the node [\d.]+ was lost\); starting", said)
    [fault] = (running.folder / run_dir.FAULTS).read_text().splitlines()
    assert (json.loads(fault)["role"], json.loads(fault)["exit_code"]) == ("actor-1", 1)
    result: dict[str, Any] = json.loads((running.folder / "result.json").read_text())
    assert result["status"] == "target_reached"
    assert result["average_return"] >= 200
    assert (running.folder / run_dir.REPORT).exists()


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (["--address=localhost:1"], "--address is 'localhost:1', but no Ray cluster"),
        (["--address=ray://a:1"], "--address is 'ray://a:1', but no Ray cluster"),
        (["--actor_cpus=0"], "--actor_cpus is 0.0; it must be a number > 0"),
        (["--learner_gpus=0"], "--learner_gpus is 0; it must be a whole number >= 1"),
        (["--server_apart"], "--server_apart means nothing without --shared_root_dir"),
        (["--in_process"], "--in_process means nothing on a cluster"),
        (["--isolate"], "--isolate means nothing on a cluster"),
        (["--learner_gpus=1"], "there is no room for server, learner and eval job on"),
    ],
)
def test_what_cannot_be_is_refused(
    flags: list[str], error: str, cluster: RayCluster, tmp_path: Path
) -> None:
    """In one line, before anything is started."""
    command = launched(
        tmp_path, f"--address={cluster.address}", "--root_dir=run", *flags
    )
    assert command.wait() == 2, command.output
    said = [line.removeprefix("fatal: ") for line in command.output.splitlines()]
    assert said[-1].startswith(error)
    assert len(said) == 1, said
