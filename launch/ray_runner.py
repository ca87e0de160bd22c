"""Runs the process of one role on a node of a Ray cluster; it is a Ray actor.

The process is an ordinary one, in a fresh interpreter: what Ray has loaded into its own
workers, gRPC above all, does not meet TensorFlow and Reverb. This module is sent to the
nodes as it is, so it imports only Python's own; all else once it runs there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Seconds for which a call waits for something new, and for the last words of a process.
_NEWS_S = 1.0

# Seconds without a call after which a runner takes itself to be cut off, and ends its
# process: another one may be about to take its place. And for how long that may take.
LEASE_S = 30.0
GRACE_S = 12.0

# Seconds for a process to begin; a shared disk may have to wake up for it.
_BEGIN_S = 60.0

# What is kept for a launcher that does not ask, in bytes; the oldest goes.
_MOST_BYTES = 2**20


class Runner:
    """Runs a process, one after another; tells what they print and how they end.

    Its calls run in threads, so one that waits for news keeps no signal waiting.
    """

    def __init__(self, checkout: str) -> None:
        """Runs nothing yet; args: where the checkout lies on all nodes."""
        self._checkout = Path(checkout)
        self._changed = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None
        self._refused: OSError | None = None
        self._output = b""
        self._exit_code: int | None = None
        self._called_at = time.monotonic()

    def where(self) -> tuple[str, str]:
        """Id and address of the node."""
        import ray  # noqa: PLC0415

        node_id = ray.get_runtime_context().get_node_id()
        return node_id, ray.util.get_node_ip_address()

    def hold_port(self, port: int | None) -> int:
        """Holds a port of this node for the server, for as long as this actor lives.

        Args:
          port: The one wanted; None picks a free one.

        Returns:
          The port.

        Raises:
          ConfigurationError: It cannot be served there.
        """
        sys.path.insert(0, str(self._checkout))
        from reverb_server import port as port_lib  # noqa: PLC0415

        self._holder, held = port_lib.reserve(port)
        return held

    def start(
        self, words: Sequence[str], folder: str, variables: Mapping[str, str]
    ) -> dict[str, Any]:
        """Starts a process.

        Args:
          words: The package of the checkout to run, and its flags.
          folder: Where to run it, if there is such a folder on this node.
          variables: Of its environment, if Ray's worker has no others.

        Returns:
          The first news of it.

        Raises:
          OSError: It cannot be started here, or not in time.
        """
        script = self._checkout / "launch" / "run_module.py"
        if not script.exists():
            raise FileNotFoundError(
                f"{script} is not on this node: the checkout must lie at the same "
                "place on all nodes"
            )
        tied = script.with_name("tied.py")
        command = [sys.executable, str(tied), str(os.getpid()), str(script), *words]
        self._process = self._refused = self._exit_code = None
        self._output, self._called_at = b"", time.monotonic()
        # The kernel ends the process with the thread that has started it.
        threading.Thread(
            target=self._live, args=(command, folder, variables), daemon=True
        ).start()
        with self._changed:
            is_over = self._changed.wait_for(self._is_over, _BEGIN_S)
        if self._refused:
            raise self._refused
        if not is_over:
            raise TimeoutError(
                f"{words[0]} has not begun within {_BEGIN_S:.0f} s on this node: see "
                f"whether {script} and {tempfile.gettempdir()} can be reached there"
            )
        return self.news()

    def _is_over(self) -> bool:
        """Whether the start of a process is, one way or the other."""
        return bool(self._process or self._refused)

    def _live(
        self, command: Sequence[str], folder: str, variables: Mapping[str, str]
    ) -> None:
        """From the start of a process to its end."""
        try:
            temporary = tempfile.mkdtemp(prefix="antiphon-")
            process = subprocess.Popen(
                command,
                cwd=folder if Path(folder).is_dir() else None,
                env={**variables, **os.environ, "TMPDIR": temporary},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            self._change(_refused=error)
            return
        self._change(_process=process)
        reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        reader.start()
        code = self._wait(process)
        reader.join(_NEWS_S)  # Something that it has left behind may hold the pipe.
        shutil.rmtree(temporary, ignore_errors=True)
        self._change(_exit_code=code)

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        """Waits for the end of a process; ends it if nobody asks for it any more."""
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(_NEWS_S)
            silent_s = time.monotonic() - self._called_at
            if silent_s > LEASE_S + GRACE_S:
                process.kill()
            elif silent_s > LEASE_S:
                process.terminate()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        """Takes what a process prints, as it comes."""
        if process.stdout is None:
            return
        with process.stdout as pipe:
            while data := os.read(pipe.fileno(), 2**16):
                self._change(_output=(self._output + data)[-_MOST_BYTES:])

    def _change(self, **values: Any) -> None:
        with self._changed:
            vars(self).update(values)
            self._changed.notify_all()

    def news(self) -> dict[str, Any]:
        """What is new; waits a moment for it.

        Returns:
          Its `pid`, its `output` since the last call; and once all of that was told,
          its `exit_code`, negative for a signal, else None.
        """
        self._called_at = time.monotonic()
        with self._changed:
            self._changed.wait_for(
                lambda: self._output or self._exit_code is not None, _NEWS_S
            )
            output, self._output = self._output, b""
            return {
                "pid": self._process.pid if self._process else 0,
                "output": output,
                "exit_code": self._exit_code,
            }

    def send(self, number: int) -> None:
        """Sends a signal to the process, if it still runs."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.Signals(number))
