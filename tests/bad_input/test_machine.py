"""Machines that cannot run this, or not so much of it."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import portpicker
import pytest
import tensorflow as tf

from experiment import proxy, requirements
from experiment.definition import Experiment
from experiment.errors import ConfigurationError
from experiment.settings import Replay
from reverb_server import tables
from tests.launch.small_machine import set_memory
from tests.reverb_server.conftest import Built
from tests.system.commands import CHECKOUT, TIMEOUT_S, Start

SETUP = (CHECKOUT / "setup.py").read_text()

PROCESSES = (
    "launch",
    "actor",
    "reverb_server",
    "learner",
    "eval_job",
    "reverb_server.peek",
    "launch.report",
)


def ended(*python: str, **env: str) -> str:
    """The one line of a Python process that refuses this machine."""
    done = subprocess.run(
        [sys.executable, *python],
        cwd=CHECKOUT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("process", PROCESSES)
def test_without_any_package_each_process_says_what_is_needed(process: str) -> None:
    """-S leaves the standard library only, as on a host where nothing was set up."""
    line = ended("-S", "-m", process)
    assert line.startswith("fatal: ")
    assert "dm-reverb is missing (0.14.* is needed)" in line
    assert "run launch/setup.sh" in line


def test_a_release_that_does_not_fit_is_named_before_it_is_imported(
    tmp_path: Path,
) -> None:
    """Another TensorFlow would end Reverb's import with an undefined symbol."""
    info = tmp_path / "tensorflow-2.16.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: tensorflow\nVersion: 2.16.1\n")
    line = ended("-m", "learner", "--helpshort", PYTHONPATH=str(tmp_path))
    assert "tensorflow 2.16.1 (2.15.* is needed)" in line
    assert "numpy" not in line


@pytest.mark.parametrize(
    ("system", "machine", "python"),
    [
        ("Darwin", "arm64", (3, 10)),
        ("Windows", "AMD64", (3, 10)),
        ("Linux", "aarch64", (3, 10)),
        ("Linux", "x86_64", (3, 12)),
        ("Linux", "x86_64", (3, 8)),
    ],
)
def test_another_machine_or_python_is_told_what_is_needed(
    system: str,
    machine: str,
    python: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And what was found."""
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "python_version", lambda: "9.9.9")
    monkeypatch.setattr(sys, "version_info", (*python, 0, "final", 0))
    with pytest.raises(ConfigurationError) as raised:
        requirements.check()
    message = str(raised.value)
    assert "needs Linux x86-64 and Python 3.9, 3.10 or 3.11" in message
    assert f"found {system} {machine}, Python 9.9.9." in message


def test_this_machine_fits_and_the_releases_are_those_of_the_packaging() -> None:
    """There are two lists, because setup.py is not there when it is installed."""
    requirements.check()
    for name, release in requirements.RELEASES.items():
        wanted = {"numpy": "numpy>=1.23,<2"}.get(name, f"{name}~={release}0")
        assert f'"{wanted}"' in SETUP
    assert 'python_requires=">=3.9,<3.12"' in SETUP


def test_weights_that_reverb_cannot_carry_are_refused(cartpole: Built) -> None:
    """Protobuf would end the process at the first push."""

    def agent(units: int) -> SimpleNamespace:
        """One with a layer of so many numbers, which takes no memory here."""
        layer = tf.TensorSpec([units], tf.float32)
        policy = SimpleNamespace(variables=lambda: [layer])
        return SimpleNamespace(
            policy=policy,
            collect_policy=policy,
            collect_data_spec=cartpole.agent.collect_data_spec,
            train_sequence_length=2,
        )

    def make(units: int) -> None:
        tables.make_tables(Experiment(), agent(units), cartpole.train_step, 1, "r/1")

    make(374_000_000)
    with pytest.raises(ConfigurationError) as raised:
        make(375_000_000)
    assert "the agent's weights have 1.5 GB" in str(raised.value)
    assert "1.5 GB at most" in str(raised.value)
    assert "q_network.layers" in str(raised.value)


# CartPole's steps have 48 bytes. A single transition has a chunk of one, and an item of
# two chunks; eight have a chunk of 16, and an item of one. See reverb_server/sizes.py.
@pytest.mark.parametrize(
    ("per_item", "each"),
    [(1, 48 + 880 + 560 + 2 * 88), (8, (16 * 48 + 880 + 560 + 88) / 8)],
)
def test_a_table_larger_than_the_memory_is_refused_with_a_size_that_would_do(
    per_item: int, each: float, cartpole: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a transition, by what Reverb keeps beside the steps too."""
    set_memory(monkeypatch, total=1, free=1)
    most = int(10**9 / each)

    def make(size: int) -> None:
        replay = Replay(max_size=size, transitions_per_item=per_item)
        tables.make_tables(
            Experiment(replay=replay), *cartpole, num_actors=1, identity="r/1"
        )

    make(most)
    with pytest.raises(ConfigurationError) as raised:
        make(most + 1)
    assert f"Replay.max_size is {most + 1}" in str(raised.value)
    assert "this machine has 1.0 GB of memory" in str(raised.value)
    assert f"set it to {most} at most" in str(raised.value)


def test_a_table_larger_than_what_is_free_is_warned_of(
    cartpole: Built, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Only so, because Reverb compresses."""
    experiment = Experiment(replay=Replay(max_size=1_000_000))
    for free, warnings in ((0.5, 0), (0.01, 1)):
        set_memory(monkeypatch, total=1, free=free)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            tables.make_tables(experiment, *cartpole, num_actors=1, identity="r/1")
        said = [line for line in caplog.messages if "Replay.max_size" in line]
        assert len(said) == warnings
    assert "Replay.max_size is 1000000" in said[0]
    assert "about 0.3 GB when full" in said[0]
    assert "0.0 GB are available" in said[0]


def test_a_proxy_is_passed_by_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No word if there is none."""
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    for url in ("", "http://127.0.0.1:9"):
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("https_proxy", url)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            proxy.bypass("10.0.0.1")
            proxy.bypass("10.0.0.1")
        assert os.environ["no_proxy"] == "10.0.0.1,localhost,127.0.0.1"
        assert len([m for m in caplog.messages if "https_proxy" in m]) == bool(url)


def test_a_server_passes_a_proxy_by_too(
    role: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would wait for ever for its own answer, and nothing could end that."""
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    port = portpicker.pick_unused_port()
    server = role("reverb_server", "--root_dir=run", f"--port={port}")
    server.wait_until(lambda: "is served at" in server.output, TIMEOUT_S)
    assert "http_proxy is set; passing it by to reach localhost" in server.output
