"""reverb_server/shard.py: a further replay server, as others see it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from reverb_server import port as port_lib
from reverb_server import shard as shard_lib
from reverb_server.shard import Shard
from tests.docs.markdown import ROOT
from tests.reverb_server.waiting import wait_until


def test_one_that_was_never_reached_is_told_of_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A firewall may let its port be closed for the whole run."""
    holder, port = port_lib.reserve(None)
    with holder:
        shard = Shard(1, f"localhost:{port}", "run")
        assert shard.is_lost
        assert f"replay shard 1 at localhost:{port} is lost" in caplog.text
        shard_lib.leave([shard])


# A further server in a process of its own, at a port that it tells.
_SERVE = """
import sys, threading
import portpicker, reverb, tensorflow as tf
from reverb_server import tables
table = lambda name, spec: reverb.Table(
    name, reverb.selectors.Fifo(), reverb.selectors.Fifo(), 1,
    reverb.rate_limiters.MinSize(1), signature=spec,
)
port = portpicker.pick_unused_port()
server = reverb.Server(
    [
        table(tables.REPLAY, tf.TensorSpec([], tf.int64)),
        table(tables.RUN, tf.TensorSpec([], tf.string, name="run/shard-1/7")),
    ],
    port=port,
)
print(port, flush=True)
sys.stdin.read()
"""


def test_one_that_is_stopped_by_a_signal_is_lost_until_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its port still takes connections."""
    monkeypatch.setattr(shard_lib, "_LOST_S", 1.0)
    monkeypatch.setattr(shard_lib, "_ANSWER_S", 1)
    command = [sys.executable, "-c", _SERVE]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as child:
        assert child.stdout
        try:
            shard = Shard(1, f"localhost:{int(child.stdout.readline())}", "run")
            wait_until(lambda: not shard.is_lost)
            child.send_signal(signal.SIGSTOP)
            wait_until(lambda: shard.is_lost)
            child.send_signal(signal.SIGCONT)
            wait_until(lambda: not shard.is_lost)
            shard_lib.leave([shard])
        finally:
            child.kill()
