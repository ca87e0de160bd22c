"""launch/ray_cluster.py: a run on a real Ray cluster of three nodes on this machine."""

from __future__ import annotations

import json
import re
import secrets
import signal
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

# Starts what finds no place, and a server that loses its runner; says what comes of it.
_WITHOUT_A_PLACE = """
import json, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import ray
from ray._private import state
from launch import ray_cluster, roles
from launch.children import end_all
from launch.ray_nodes import RayNodes, Wishes
from launch.role import Role
from launch.worker import Leaving

ray_cluster.connect(sys.argv[1])
nodes = RayNodes(Wishes(1, 0, 1000, False, False), Path("logs"), print)
start = lambda role: nodes.start(role, is_restart=False)
actors = [start(roles.actor(task, "localhost:1")) for task in range(9)]
# Until Ray has looked for places, which only its own modules tell.
states = lambda: [each["State"] for each in state.actors().values()]
deadline = time.monotonic() + 60
while states().count("PENDING_CREATION") < len(actors):
    assert time.monotonic() < deadline, states()
    time.sleep(0.02)
begun = time.monotonic()
leaving = Leaving(actors[0])
has_left = leaving.has_ended()
end_all(actors[1:], grace_s=60)
seconds = time.monotonic() - begun

server = start(Role("reverb_server", "reverb_server", ["--root_dir=run"]))
deadline = time.monotonic() + 120
while not server.pid and time.monotonic() < deadline and server.exit_code is None:
    time.sleep(0.05)
ray.kill(server._runner)
assert server.wait(time.monotonic() + 120)
codes = [[each.pid, each.exit_code] for each in actors]
print(json.dumps([
    has_left, seconds, codes, server.exit_code, server.is_last, server.last_words()
]))
"""


class RayCluster:
    """Three nodes of two CPUs each, the head first.

    Attributes:
      command: Runs them; all processes on the nodes are of it.
      address: host:port.
      raylets: Process ids, one a node.
    """

    def __init__(self, folder: Path) -> None:
        self.command = Command([sys.executable, str(_NODES), "2", "2", "2"], folder)
        try:
            self.command.wait_until(lambda: "\n" in self.command.output, TIMEOUT_S)
        except BaseException:
            self.end()
            raise
        self.address, *raylets = self.command.output.split("\n")[0].split()
        self.raylets = [int(pid) for pid in raylets]

    def end(self) -> None:
        """Ends all nodes; at SIGTERM they take their folder away."""
        self.command.send(signal.SIGTERM)
        try:
            self.command.wait(60)
        finally:
            self.command.kill()

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
    """A cluster that tests may leave with fewer nodes, for those who know its token."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        made = RayCluster(tmp_path_factory.mktemp("cluster"))
        yield made
        made.end()


def launched(folder: Path, *flags: str) -> Command:
    """The launcher, started."""
    return Command([sys.executable, _RUN_MODULE, "launch.ray_cluster", *flags], folder)


def places(running: Running, name: str) -> list[str]:
    """The nodes on which a role was started, one after another."""
    log = running.folder / run_dir.LOGS_DIR / f"{name}.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    return re.findall(r"^started by Ray as .* \((\w+)\)$", text, re.MULTILINE)


def assert_told(command: Command, running: Running) -> None:
    """Who gets in, and that actor-1 was lost with its node."""
    lines = command.output.splitlines()
    assert any(
        line.startswith("open to others: whoever reaches the server's node, ")
        for line in lines
    )
    lost = re.compile(r"actor-1 failed .* \(the node [\d.]+ was lost\); starting it")
    assert any(lost.match(line) for line in lines), lines
    assert "raylet" not in command.output  # Ray's own words would break the picture.
    rows = (running.folder / run_dir.FAULTS).read_text().splitlines()
    faults = [json.loads(row) for row in rows]
    assert ("actor-1", 1) in {(each["role"], each["exit_code"]) for each in faults}


def test_a_run_reaches_its_target_though_a_node_is_lost(
    cluster: RayCluster, tmp_path: Path
) -> None:
    """Its actor is started again on another one, and all else as on one machine."""
    command = launched(
        tmp_path,
        f"--address={cluster.address}",
        "--root_dir=run",
        "--num_actors=2",
    )
    try:
        running = Running(command, tmp_path / "run")
        # Not later: a lucky run has its target 20 s after that, and Ray takes some 10 s
        # to see that a node is lost.
        running.wait(
            lambda: all(any(running.rows("actor", task=task)) for task in (0, 1))
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
    assert_told(command, running)

    first, *_, last = places(running, "actor-1")
    [head] = {*places(running, "reverb_server"), *places(running, "learner")}
    assert places(running, "eval_job") == [head]
    # Not more: Ray spreads actors as well as it can, which under load is not evenly.
    assert first not in (head, last)

    result: dict[str, Any] = json.loads((running.folder / "result.json").read_text())
    assert result["status"] == "target_reached"
    assert result["average_return"] >= 475
    assert (running.folder / run_dir.REPORT).exists()


def test_who_has_no_place_ends_at_once_and_a_lost_server_ends_the_run(
    cluster: RayCluster, tmp_path: Path
) -> None:
    """No call waits behind a place that never comes; the end is no bad input."""
    command = Command(
        [sys.executable, "-c", _WITHOUT_A_PLACE, cluster.address, str(CHECKOUT)],
        tmp_path,
    )
    try:
        assert command.wait() == 0, command.output
    finally:
        command.kill()
    *_, said = command.output.splitlines()
    has_left, seconds, codes, exit_code, is_last, words = json.loads(said)
    assert has_left
    assert seconds < 30  # After grace times, the eight would take over a minute.
    assert codes == [[0, 128 + signal.SIGTERM]] * 9
    assert (exit_code, is_last) == (1, True)
    assert words.endswith("; once it is back, the run goes on by --resume")


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
        (["--num_replay_servers=2"], "--num_replay_servers is 2, but a run on a Ray"),
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
    # What room there is Ray tells only while it places a run.
    assert (tmp_path / "run").exists() == ("no room" in error)
