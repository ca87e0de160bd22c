"""Reverb servers in processes of their own: they can be killed, and come back."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import portpicker
import reverb

TABLE = "rows"

# A table of text rows, in the order in which they came.
_SERVE = f"""
import sys
import reverb
import tensorflow as tf

table = reverb.Table(
    {TABLE!r},
    sampler=reverb.selectors.Fifo(),
    remover=reverb.selectors.Fifo(),
    max_size=100,
    max_times_sampled=1,
    rate_limiter=reverb.rate_limiters.MinSize(1),
    signature=tf.TensorSpec([], tf.string),
)
server = reverb.Server([table], port=int(sys.argv[1]))
print("ready", flush=True)
server.wait()
"""


class ServerProcess:
    """A Reverb server at a port that stays the same."""

    def __init__(self) -> None:
        """Not started."""
        self._port = portpicker.pick_unused_port()
        self._process: subprocess.Popen[str] | None = None
        self.client = reverb.Client(f"localhost:{self._port}")

    def start(self) -> None:
        """Starts a new one; it serves when this returns."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(self._port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """Lets it end as if its memory had run out."""
        if self._process:
            self._process.kill()
            with self._process:
                pass

    def rows(self) -> list[Any]:
        """Takes all rows it holds, oldest first."""
        size = self.client.server_info(timeout=20)[TABLE].current_size
        samples = self.client.sample(TABLE, size, emit_timesteps=False) if size else []
        return [sample.data[0].item() for sample in samples]


@contextlib.contextmanager
def server_process() -> Iterator[ServerProcess]:
    """A server that is not there yet; killed at the end."""
    server = ServerProcess()
    try:
        yield server
    finally:
        server.kill()
