"""`python -m reverb_server`: the process, and others that take part in its run."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple

import portpicker
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.experimental.distributed import reverb_variable_container

from experiment import definition, run_dir, run_status
from reverb_server import run_tables, tables
from reverb_server.address import connect
from reverb_server.membership import Membership
from reverb_server.replay_dataset import replay_dataset
from reverb_server.replay_layout import replay_layout
from reverb_server.replay_writer import ReplayWriter
from reverb_server.weights import WeightsPuller
from tests.reverb_server.episodes import batches, experience, rows_of, windows
from tests.reverb_server.run_for_tests import GIN_TEXT, StopByHand
from tests.reverb_server.run_for_tests import manifest as manifest_of
from tests.reverb_server.waiting import wait_until

MAIN = Path(__file__).parents[2] / "launch" / "run_module.py"

START_TIMEOUT_S = 100.0  # Seconds on a machine that is busy with other things.

# What the main would do, for a folder with a run of four actors.
_MAIN_ASIDE = """
import contextlib
import sys

from absl import flags

from reverb_server import __main__ as main

flags.FLAGS([sys.argv[0], "--root_dir=.", *sys.argv[1:]])
main.port_lib.reserve = lambda port: [contextlib.nullcontext()]
main._serve = lambda root_dir, stop: print(main._num_actors(root_dir), stop._grace_s)
main.main()
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers with these flags, from a folder of the user; ends them all."""
    with contextlib.ExitStack() as stack:

        def start_server(*args: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, MAIN, "reverb_server", *args],
                cwd=tmp_path,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start_server


def fatal_line(process: subprocess.Popen[str]) -> str:
    """The last line of a server that ended because of its configuration."""
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 2, errors
    last = errors.splitlines()[-1]
    assert last.startswith("fatal: ")
    return last


class Member(NamedTuple):
    """One who has joined, with an agent as the run's text has it."""

    role: Membership
    settings: definition.Experiment
    agent: tf_agent.TFAgent
    train_step: tf.Variable


def joined(port: int) -> Member:
    """Joins the run; all that is needed is the address."""
    where = f"localhost:{port}"
    connect(where, lambda: False, START_TIMEOUT_S)
    role = Membership(where, "actor", StopByHand())
    settings = definition.load_text(role.manifest.gin_text)
    return Member(role, settings, *settings.make_agent(settings.environment()))


def write_and_sample(member: Member) -> None:
    """Sends experience to the server, and gets it back in a batch."""
    role, replay = member.role, member.settings.replay
    layout = replay_layout(member.agent, replay)
    rounds = experience([[9], [2, 6]])
    writer = ReplayWriter(role.client, layout, 2, role.is_running)
    for steps in batches(rounds):
        writer(steps)
    dataset = replay_dataset(role.address, layout, replay.batch_size)
    [steps, _] = next(iter(dataset.unbatch()))
    arrays = tf.nest.map_structure(lambda column: column.numpy(), steps)
    for number in range(replay.batch_size):
        window = tf.nest.map_structure(lambda column, n=number: column[n], arrays)
        assert rows_of(window) in windows(rounds, 2)


def publish_and_pull(member: Member) -> Any:
    """Sends weights to the server, and gets them back; returns them."""
    where = member.role.address
    weights = tables.weights_of(member.agent, member.train_step)
    published = tf.nest.map_structure(lambda variable: variable + 1, weights)
    container = reverb_variable_container.ReverbVariableContainer(
        where, [tables.VARIABLES]
    )
    container.push(published, tables.VARIABLES)
    puller = WeightsPuller(where, weights, 3600)
    assert puller.wait_for_first(member.role.is_running)
    puller.close()
    for variable, value in zip(tf.nest.flatten(weights), tf.nest.flatten(published)):
        tf.debugging.assert_equal(variable, value)
    return published


def test_processes_take_part_in_a_run_by_its_address(
    start: Start, tmp_path: Path
) -> None:
    """Data, weights, the end and figures, all by way of a server of its own."""
    (tmp_path / "mine.gin").write_text(GIN_TEXT)
    port = portpicker.pick_unused_port()
    process = start(
        "--root_dir=runs/x",
        "--gin_file=mine.gin",
        "--gin_bindings=Replay.batch_size = 16",
        "--num_actors=3",
        "--seed=7",
        f"--port={port}",
    )
    member = joined(port)
    manifest, root_dir = member.role.manifest, tmp_path / "runs" / "x"
    assert (manifest.root_dir, manifest.gin_file) == (str(root_dir), "mine.gin")
    assert (manifest.seed, manifest.num_actors, manifest.resumed) == (7, 3, False)
    assert member.settings.replay.batch_size == 16

    write_and_sample(member)
    weights = publish_and_pull(member)
    member.role.report(env_steps=18)
    run_tables.announce_end(member.role.address, run_status.MAX_TRAIN_STEPS, weights)
    wait_until(lambda: not member.role.is_running())
    member.role.leave()

    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    lines = (root_dir / run_dir.METRICS).read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row for row in rows if row["role"] == "actor"][-1]["env_steps"] == 18
    assert [row["train_step"] for row in rows if row["role"] == "run"] == [1]
    assert json.loads((root_dir / run_dir.MANIFEST).read_text())["seed"] == 7
    assert "Replay.batch_size = 16\n" in (root_dir / run_dir.CONFIG).read_text()


def test_of_two_servers_that_start_at_one_port_one_serves(start: Start) -> None:
    """Even if both start at the same moment; Reverb itself would let both."""
    port = portpicker.pick_unused_port()
    pair = [
        start(f"--root_dir=runs/{name}", f"--port={port}", "--num_actors=1")
        for name in "ab"
    ]
    client, _ = connect(f"localhost:{port}", lambda: False, START_TIMEOUT_S)
    wait_until(lambda: any(process.poll() is not None for process in pair))
    ended = [process for process in pair if process.poll() is not None]
    assert len(ended) == 1
    assert f"--port {port} is in use" in fatal_line(ended[0])
    assert tables.REPLAY in client.server_info(timeout=10)


_WAS_SERVED = """
import sys
from absl import flags
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from reverb_server import __main__ as main

for earlier in (0, 1):
    flags.FLAGS(["reverb_server", f"--earlier_servers={earlier}"])
    print(main._was_served(Path()), main._was_served(Path("none")))
"""


def test_whether_a_server_had_begun_before_it_died_is_told_by_the_manifest(
    tmp_path: Path,
) -> None:
    """However old the process that starts the next one is: Ray's may be older."""
    (tmp_path / run_dir.MANIFEST).write_text(manifest_of(tmp_path).to_json())
    ended = subprocess.run(
        [sys.executable, "-c", _WAS_SERVED, str(MAIN.parents[1])],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        timeout=START_TIMEOUT_S,
        check=True,
    )
    assert ended.stdout.splitlines() == ["True False", "False False"]


@pytest.mark.parametrize(
    ("given", "num_actors", "grace_s"),
    [
        (["--resume"], 4, 110.0),
        (["--num_actors=3", "--is_supervised"], 3, 10.0),
    ],
)
def test_a_server_by_hand_has_time_to_store_and_keeps_its_actors(
    given: list[str], num_actors: int, grace_s: float, tmp_path: Path
) -> None:
    """And the manifest for Kubernetes leaves it that time."""
    run = dataclasses.replace(manifest_of(tmp_path), num_actors=4)
    (tmp_path / run_dir.MANIFEST).write_text(run.to_json())
    told = subprocess.run(
        [sys.executable, "-c", _MAIN_ASIDE, *given],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(MAIN.parents[1])},
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        check=False,
    )
    assert told.stdout.split() == [str(num_actors), str(grace_s)], told.stderr
    pod = (MAIN.parent / "kubernetes" / "server.yaml").read_text()
    [killed_s] = re.findall(r"terminationGracePeriodSeconds: (\d+)", pod)
    assert int(killed_s) > grace_s
