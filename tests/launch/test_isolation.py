"""launch/isolation.py: a process in a network of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from absl.testing import flagsaver

from launch import isolation
from tests.launch.a_run import CHECKOUT
from tests.namespaces import may_isolate, may_unshare

needs_namespaces = pytest.mark.skipif(
    not may_isolate(), reason="network namespaces cannot be made here"
)

# What is left of the network, and whose files it makes; `{before}` comes before.
_ISOLATED = """
import ctypes, encodings.idna, json, os, socket, subprocess, sys
from launch import isolation

{before}
isolation.enter()
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname(), 5).close()
socket.create_server(("::1", 0), family=socket.AF_INET6).close()
with open("made", "w"):
    owner = os.fstat(os.open("made", os.O_RDONLY))
print(json.dumps(dict(
    interfaces=[name for _, name in socket.if_nameindex()],
    owner=[owner.st_uid, owner.st_gid],
    user=[os.getuid(), os.getgid()],
)))
"""

# A user without any rights; it may look after itself again, as after an `exec`.
_NOBODY = 65_534
_BECOME_NOBODY = f"""
os.setgroups([])
os.setgid({_NOBODY})
os.setuid({_NOBODY})
ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE
"""


def isolated(folder: Path, before: str = "") -> dict[str, Any]:
    """What a process finds that has isolated itself in a folder."""
    ended = subprocess.run(
        [sys.executable, "-c", _ISOLATED.format(before=before)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@needs_namespaces
def test_only_the_loopback_is_left(tmp_path: Path) -> None:
    """It works, by IPv4 and IPv6; files are made as before."""
    user = [os.getuid(), os.getgid()]
    found = isolated(tmp_path)
    assert found == {"interfaces": ["lo"], "owner": user, "user": user}
    assert (tmp_path / "made").stat().st_uid == os.getuid()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(
    not may_unshare("--user", "--net"), reason="user namespaces cannot be made here"
)
def test_who_is_not_root_stays_who_they_are(tmp_path: Path) -> None:
    """Inside as outside, though it takes a user namespace."""
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:2]:  # pytest's own, for this user alone.
        parent.chmod(0o755)
    found = isolated(tmp_path, _BECOME_NOBODY)
    nobody = [_NOBODY, _NOBODY]
    assert found == {"interfaces": ["lo"], "owner": nobody, "user": nobody}
    made = (tmp_path / "made").stat()
    assert [made.st_uid, made.st_gid] == nobody


def test_a_system_that_does_not_allow_it_is_told_in_a_line(tmp_path: Path) -> None:
    """Before anything is made."""
    program = (
        "import sys; from launch import isolation;"
        "isolation._LIBC = type('No', (), {'unshare': lambda *_: -1});"
        "isolation.ctypes.get_errno = lambda: 1;"
        "sys.argv = ['launch', '--isolate', '--root_dir=run'];"
        "isolation.enter_if_asked()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        "fatal: --isolate needs a network namespace, and the system does not let this "
        "user make one (Operation not permitted); start without it, behind a firewall "
        "(docs/security.md), or have user namespaces allowed.\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [[], ["--noisolate"], ["--isolate=false"], ["--isolate=perhaps"]]
)
def test_who_is_not_asked_to_stays_where_it_is(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong value is told with those of all other flags."""
    monkeypatch.setattr(sys, "argv", ["launch", "--num_actors=2", *arguments])
    entered: list[str] = []
    monkeypatch.setattr(isolation, "enter", lambda: entered.append("a network"))
    with flagsaver.flagsaver():
        isolation.enter_if_asked()
    assert entered == []
