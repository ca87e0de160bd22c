"""launch/run_module.py: what it runs is of this checkout, wherever the user is."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from launch.children import Child, end_all
from launch.role import Role


def test_a_role_is_one_of_this_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of the user's with the name of ours takes the place of none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launch.py").write_text("print('not this one')\n")
    role = Role("actor-0", "launch", ["--helpshort"])
    child = Child(role, tmp_path / "logs", tmp_path)
    try:
        assert child.wait(time.monotonic() + 30)
        assert child.exit_code == 0
        assert "--num_actors" in child.log.read_text()
    finally:
        end_all([child], grace_s=0)
