"""launch/await-server.sh, with servers on this machine."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from tests.launch.a_run import CHECKOUT

_SCRIPT = CHECKOUT / "launch" / "await-server.sh"


def wait_for(port: int, script: Path) -> subprocess.CompletedProcess[str]:
    """Waits to its end for who may be at a port."""
    return subprocess.run(
        [script, "127.0.0.1", str(port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_ends_once_somebody_takes_connections() -> None:
    """In silence."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = wait_for(server.getsockname()[1], _SCRIPT)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_it_gives_up_in_time_even_where_packets_are_dropped(tmp_path: Path) -> None:
    """A try for such a connection takes the kernel two minutes."""
    briefly = tmp_path / _SCRIPT.name
    briefly.write_text(_SCRIPT.read_text().replace("WAIT_S=1800", "WAIT_S=2"))
    briefly.chmod(0o755)
    # A full queue drops what comes.
    server = socket.create_server(("127.0.0.1", 0), backlog=0)
    with server, socket.create_connection(server.getsockname()):
        port = server.getsockname()[1]
        ended = wait_for(port, briefly)
    assert ended.returncode == 3
    first, *_, last = ended.stdout.splitlines()
    assert first.startswith(f"nobody answers at 127.0.0.1:{port} since ")
    assert last == "gave up: the run has ended, or see the logs of 127.0.0.1"
