"""tests/hosts.py: nothing of a network stays behind, even if it could not be made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.hosts import Network

# In the place of `ip`: notes what it is asked for, and has no cables.
_IP = """#!/bin/sh
printf '%s\\n' "$*" >>{log}
case "$*" in *veth*) exit 1 ;; esac
"""


def test_a_host_without_a_cable_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a kernel without veth, where each collection of the tests tries."""
    log = tmp_path / "log"
    (tmp_path / "ip").write_text(_IP.format(log=log))
    (tmp_path / "ip").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(AssertionError), Network(2):
        pass
    lines = log.read_text().splitlines()
    made = {line.split()[-1] for line in lines if line.startswith("netns add")}
    deleted = {line.split()[-1] for line in lines if line.startswith("netns delete")}
    assert made == deleted
    assert len(made) == 2
