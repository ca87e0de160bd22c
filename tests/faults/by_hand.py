"""A small run whose processes are started one by one, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import portpicker

from tests.faults.running import UNHURRIED, Running
from tests.system.commands import TIMEOUT_S, Command


class ByHand:
    """A run without a launcher: nothing is started again.

    Attributes:
      address: The flag by which the others join.
      server: The one process that runs from the beginning.
      running: Its figures; waits for as long as the server lives.
    """

    def __init__(
        self, role: Callable[..., Command], cwd: Path, *flags: str, name: str = "run"
    ) -> None:
        """Starts the server.

        Args:
          role: Starts a role.
          cwd: Where it does so.
          *flags: Of the server, beside those of a small run without end.
          name: Of the run's folder.
        """
        self._role = role
        self._port = portpicker.pick_unused_port()
        self.address = f"--server_address=localhost:{self._port}"
        self.server = self.serve(name, *flags)
        self.running = Running(self.server, cwd / name)

    def serve(self, name: str, *flags: str) -> Command:
        """Starts a server at the port of this run."""
        return self._role(
            "reverb_server",
            f"--root_dir={name}",
            f"--port={self._port}",
            "--num_actors=1",
            f"--gin_file={UNHURRIED}",
            *flags,
        )

    def join(self, role: str, *flags: str) -> Command:
        """Starts a process that joins, once there is what to join."""
        self.server.wait_until(lambda: "is served at" in self.server.output, TIMEOUT_S)
        return self._role(role, self.address, *flags)
