"""benchmarks/stock_processes.py: what is said if a process fails or is late."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.stock_processes import Children, last_report
from tests.launch.a_run import CHECKOUT

FAILS = "raise SystemExit('fatal: no such game')"
SLEEPS = """
import time
print('{"steps": 1}', flush=True)
print('{"steps": 2}', flush=True)
print('{"ste', end="", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where children find the modules that a test writes."""
    monkeypatch.chdir(tmp_path)


def test_a_child_that_fails_ends_the_wait() -> None:
    Path("fails.py").write_text(FAILS)
    with Children() as children:
        child = children.start("actor-0", "fails")
        with pytest.raises(
            RuntimeError, match=r"^actor-0 .*code 1.*a step: no such game"
        ):
            children.wait("a step", lambda: last_report(child), 30)


def test_a_wait_ends_and_says_for_what() -> None:
    Path("sleeps.py").write_text(SLEEPS)
    with Children() as children:
        children.start("learner", "sleeps")
        with pytest.raises(TimeoutError, match="in vain for 50 pushes"):
            children.wait("50 pushes", lambda: None, 0.2)


def test_the_last_whole_report_counts() -> None:
    Path("sleeps.py").write_text(SLEEPS)
    with Children() as children:
        child = children.start("server", "sleeps")

        def second() -> bool | None:
            return True if last_report(child) == {"steps": 2} else None

        assert children.wait("the second report", second, 30)
    assert not children.folder.exists()


def test_measuring_needs_no_tensorflow() -> None:
    """Children are forked from a process without its threads."""
    code = (
        "import sys\n"
        "from benchmarks import stock_distributed, stock_loop, stock_replay\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=True, timeout=60)
