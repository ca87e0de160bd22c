"""`python -m reverb_server.peek`: people can read what is packed."""

from __future__ import annotations

import dataclasses
import functools
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import numpy as np
import portpicker
import pytest
import reverb
from tf_agents.drivers import py_driver
from tf_agents.policies import random_py_policy
from tf_agents.trajectories import trajectory

from experiment import definition, environments
from experiment.errors import ConfigurationError
from reverb_server import peek, tables
from reverb_server.replay_layout import RANDOM_POLICY, replay_layout
from reverb_server.replay_writer import ReplayWriter
from reverb_server.server import RunServer
from tests.reverb_server.conftest import Built, Serve
from tests.reverb_server.run_for_tests import GIN_TEXT, manifest
from tests.reverb_server.waiting import wait_until

MAIN = Path(__file__).parents[2] / "launch" / "run_module.py"
ENVS = 3

# The two lines of a step.
STEP = re.compile(
    r"    (\w+) to (\w+); action (\d+); reward (\S+); discount (\S+); policy (.*)\n"
    r"      observation \[([^\]]*)\]\n"
)

RunWith = Callable[..., RunServer]


@pytest.fixture
def run_with(tmp_path: Path) -> Iterator[RunWith]:
    """Starts the server of a run that has these bindings too."""
    started: list[RunServer] = []

    def start(bindings: str = "") -> RunServer:
        text = GIN_TEXT + bindings
        known = dataclasses.replace(manifest(tmp_path), gin_text=text)
        port = portpicker.pick_unused_port()
        started.append(RunServer(definition.load_text(text), known, port))
        return started[-1]

    yield start
    for server in started:
        server._server.stop()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are short."""
    monkeypatch.setattr(peek, "_TIMEOUT_S", 1)


def collect(
    run: RunServer, cartpole: Built, max_steps: int
) -> list[tuple[int, trajectory.Trajectory]]:
    """Plays CartPole at random; what was seen, with the policy's train step."""
    # The settings that `run_with` read last.
    layout = replay_layout(cartpole.agent, definition.Experiment().replay)
    environment = environments.batched(
        functools.partial(environments.gym_environment, "CartPole-v1"),
        ENVS,
        np.random.SeedSequence(1),
    )
    policy = random_py_policy.RandomPyPolicy(
        environment.time_step_spec(), environment.action_spec(), seed=1
    )
    writer = ReplayWriter(run.client, layout, ENVS, lambda: True)
    seen: list[tuple[int, trajectory.Trajectory]] = []

    def observe(steps: trajectory.Trajectory) -> None:
        writer.policy_train_step = RANDOM_POLICY if len(seen) < 9 else len(seen)
        seen.append((writer.policy_train_step, steps))
        writer(steps)

    driver = py_driver.PyDriver(environment, policy, [observe], max_steps=max_steps)
    driver.run(environment.reset())
    items = writer.transitions // layout.windows_per_item
    wait_until(lambda: run.client.server_info()[tables.REPLAY].current_size == items)
    return seen


def written(seen: list[tuple[int, trajectory.Trajectory]]) -> set[Any]:
    """The transitions in it, each a pair of steps as `printed` has them."""
    names = ["FIRST", "MID", "LAST"]

    def step(env: int, version: int, steps: trajectory.Trajectory) -> tuple[Any, ...]:
        return (
            names[steps.step_type[env]],
            names[steps.next_step_type[env]],
            int(steps.action[env]),
            np.float32(steps.reward[env]),
            np.float32(steps.discount[env]),
            "random" if version == RANDOM_POLICY else f"of {version}",
            tuple(steps.observation[env].astype(np.float32)),
        )

    return {
        (step(env, *now), step(env, *then))
        for now, then in zip(seen, seen[1:])
        for env in range(ENVS)
        if not now[1].is_boundary()[env]
    }


def printed(lines: list[str]) -> list[Any]:
    """The transitions in the text, read as a person would."""
    text = "".join(f"{line}\n" for line in lines)
    found = []
    for part in re.split(r"  transition \d+\n", text)[1:]:
        steps = [
            (
                *names,
                int(action),
                np.float32(reward),
                np.float32(discount),
                policy,
                tuple(np.float32(number) for number in observation.split()),
            )
            for *names, action, reward, discount, policy, observation in STEP.findall(
                part
            )
        ]
        found.append(tuple(steps))
    return found


@pytest.mark.parametrize("per_item", [1, 8])
def test_every_number_is_that_which_was_written(
    run_with: RunWith, cartpole: Built, per_item: int
) -> None:
    """To the last bit; and each item counts as one sample, as is said."""
    run = run_with(f"Replay.transitions_per_item = {per_item}")
    seen = collect(run, cartpole, max_steps=150)
    items = 400 // per_item
    lines = list(peek.describe(run.address, items))
    assert lines.count("item 1") == lines.count(f"item {items}") == 1
    transitions = printed(lines)
    assert len(transitions) == items * per_item
    assert set(transitions) <= written(seen)
    assert len(set(transitions)) > 60
    assert len({step[5] for pair in transitions for step in pair}) > 20
    info = run.client.server_info()[tables.REPLAY]
    assert info.rate_limiter_info.sample_stats.completed == items


def test_the_run_and_its_tables_are_described(
    run_with: RunWith, cartpole: Built, tmp_path: Path
) -> None:
    """In items and in transitions; nothing is sampled if nobody asks for items."""
    run = run_with()
    collect(run, cartpole, max_steps=150)
    size = run.client.server_info()[tables.REPLAY].current_size
    list(run.client.sample(tables.REPLAY, 5, emit_timesteps=False))
    first, *rest = peek.describe(run.address, 0)
    assert re.fullmatch(
        rf"run \d{{8}}-\d{{6}}-\w{{8}} of test.gin: 1 actors, seed 0, "
        rf"results in {re.escape(str(tmp_path))}",
        first,
    )
    told = dict(line.split(": ", maxsplit=1) for line in rest)
    assert set(told) == {
        f"table {name}" for name in ("end", "replay", "run", "telemetry", "variables")
    }
    assert told["table replay"] == (
        f"{size} of at most 125 items, {size} inserted, 5 sampled; {size * 8} of at "
        f"most 1,000 transitions, {size * 8} inserted, 40 sampled; nobody waits"
    )
    assert told["table end"] == (
        "0 of at most 1 items, 0 inserted, 0 sampled; samples wait until it is "
        "filled to 1"
    )
    assert told["table run"].startswith("1 of at most 1 items, 1 inserted")
    assert run.client.server_info()[tables.REPLAY].num_unique_samples <= 5


@pytest.mark.usefixtures("impatient")
def test_an_empty_table_is_told_of_in_one_line(run_with: RunWith) -> None:
    """After the deadline; nothing is sampled later, when there is something."""
    run = run_with()
    started = time.monotonic()
    *_, last = peek.describe(run.address, 3)
    assert time.monotonic() - started < 30  # Seconds; building the agent takes some.
    assert last == (
        "0 of 3 items: no other could be sampled within 1 s; samples wait until it is "
        "filled to 1"
    )


@pytest.mark.usefixtures("impatient")
def test_what_the_limiter_lets_through_is_printed(
    run_with: RunWith, cartpole: Built
) -> None:
    """Then one line says that it blocks; later inserts wake no forgotten sampler."""
    run = run_with("Replay.samples_per_insert = 0.5")
    collect(run, cartpole, max_steps=150)
    *_, last = lines = list(peek.describe(run.address, 10_000))
    match = re.fullmatch(
        r"(\d+) of 10000 items: no other could be sampled within 1 s; samples wait for "
        r"inserts, at 0.5 samples per insert",
        last,
    )
    assert match
    allowed = int(match[1])
    assert allowed == len([line for line in lines if line.startswith("item ")]) > 10
    assert len(printed(lines)) == allowed * 8

    def sampled() -> int:
        limiter = run.client.server_info()[tables.REPLAY].rate_limiter_info
        return int(limiter.sample_stats.completed)

    assert sampled() == allowed
    before = run.client.server_info()[tables.REPLAY].current_size
    client = reverb.Client(run.address)
    item = np.zeros(run.client.server_info()[tables.REPLAY].signature["steps"].shape)
    for _ in range(4):
        client.insert({"steps": item.astype(np.uint8)}, {tables.REPLAY: 1.0})
    wait_until(
        lambda: run.client.server_info()[tables.REPLAY].current_size == before + 4
    )
    assert sampled() == allowed


@pytest.mark.usefixtures("impatient")
def test_a_server_of_somebody_else_is_refused(serve: Serve) -> None:
    """Reverb's, but without our tables."""
    served = serve([reverb.Table.queue("other", 1)])
    with pytest.raises(ConfigurationError, match="but not"):
        list(peek.describe(served.address, 1))


def run_main(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """`python -m reverb_server.peek` from a folder of the user."""
    return subprocess.run(
        [sys.executable, MAIN, "reverb_server.peek", *args],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_command_prints_a_run(
    run_with: RunWith, cartpole: Built, tmp_path: Path
) -> None:
    """As many items as asked for, and nothing else on standard output."""
    run = run_with()
    seen = collect(run, cartpole, max_steps=150)
    done = run_main(tmp_path, f"--server_address={run.address}", "--items=2")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("run ")
    transitions = printed(lines)
    assert len(transitions) == 16
    assert set(transitions) <= written(seen)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--server_address=localhost:{port}"],
            r"no Reverb server answered at localhost:\d+ within 5 s; ",
        ),
        (["--server_address=localhost:{port}", "--items=-1"], "--items is -1; it must"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(
    tmp_path: Path, args: list[str], message: str
) -> None:
    """In time: nobody answers at an address, or flags are wrong."""
    port = portpicker.pick_unused_port()
    done = run_main(tmp_path, *[arg.format(port=port) for arg in args])
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert re.match(f"fatal: {message}", last)
    assert done.stdout == ""
