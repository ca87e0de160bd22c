"""Checkouts for the tests of the shell scripts, and supervisors of stand-ins."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.launch.small_checkout import ROOT, Checkout, small_checkout
from tests.launch.supervised import Supervised
from tests.launch.terminal import terminal

__all__ = ["terminal"]

Supervise = Callable[..., Supervised]


@pytest.fixture(autouse=True)
def no_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer asks for on this machine is not asked for in the tests."""
    monkeypatch.delenv("ANTIPHON_PYTHON", raising=False)
    monkeypatch.delenv("PYENV_ROOT", raising=False)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The set-up script of a checkout that was never set up."""
    (tmp_path / "checkout" / "launch").mkdir(parents=True)
    return Path(
        shutil.copy(ROOT / "launch" / "setup.sh", tmp_path / "checkout" / "launch")
    )


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout that every test leaves set up, or marked as unfinished."""
    # A path with a space: it has to be quoted everywhere.
    root = tmp_path_factory.mktemp("a checkout")
    return small_checkout(root, tmp_path_factory.mktemp("wheels"))


@pytest.fixture
def ready(checkout: Checkout) -> Checkout:
    """The same, certainly set up."""
    ended = checkout.set_up()
    assert ended.returncode == 0, ended.stderr
    return checkout


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    """Supervises programs, see `Supervised.start`; none outlives its test."""
    (tmp_path / "run").mkdir()
    with contextlib.ExitStack() as stack:

        def start(programs: Mapping[str, str], **arguments: Any) -> Supervised:
            supervised = Supervised.start(tmp_path, programs, **arguments)
            stack.callback(supervised.kill)
            return supervised

        yield start
