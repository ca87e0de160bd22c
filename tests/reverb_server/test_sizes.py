"""reverb_server/sizes.py: what a table takes, against the memory of a real one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.reverb_server import table_memory
from tests.system.commands import CHECKOUT


@pytest.mark.parametrize(("windows_per_item", "rounds"), [(1, 200), (8, 1_000)])
def test_the_bytes_of_a_table_are_those_that_it_takes(
    windows_per_item: int, rounds: int
) -> None:
    """Most of them are not the steps', if these are small."""
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            table_memory.__name__,
            f"{windows_per_item}",
            f"{rounds}",
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told, grown, steps = json.loads(ended.stdout.splitlines()[-1])
    assert told == pytest.approx(grown, rel=0.5)
    assert told > 2 * steps
