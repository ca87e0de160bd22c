"""launch/screen.py: what the user is told."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from launch import screen
from launch.result import Outcome
from tests.launch.a_run import options

RESULT = {
    "average_return": 477.5,
    "train_step": 5_000,
    "random_average_return": 20.44,
    "time_to_target_s": 23.4,
    "wall_time_s": 65.6,
}


def told(
    root_dir: Path,
    outcome: Outcome,
    capsys: pytest.CaptureFixture[str],
    **changes: Any,
) -> list[str]:
    """The lines at the end of a run with such a result."""
    path = root_dir / "result.json"
    path.write_text(json.dumps({**RESULT, **changes}))
    screen.farewell(options(root_dir), outcome, path)
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.splitlines()


def test_the_start_says_what_is_started_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one line, with the folder as the user would write it."""
    monkeypatch.chdir(tmp_path)
    line = screen.greeting(options(tmp_path / "runs" / "one", num_actors=3), 8_008)
    assert line.startswith("dqn_cartpole.gin: 3 actors")
    assert "port 8008" in line
    assert "results in runs/one." in line


def test_actors_that_others_start_are_told_apart(tmp_path: Path) -> None:
    """They do not come by themselves."""
    line = screen.greeting(options(tmp_path, num_actors=5, actors_elsewhere=3), 1)
    assert ": 5 actors (3 of them started elsewhere), learner, eval;" in line


def test_one_process_is_greeted_before_it_has_a_port(tmp_path: Path) -> None:
    """It says what it is, rather than how many actors it has."""
    line = screen.greeting(options(tmp_path, num_actors=1, in_process=True))
    assert line.startswith("dqn_cartpole.gin: all roles in one process; results in ")


def test_a_folder_far_away_is_named_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than with a row of dots."""
    deep = tmp_path / "a" / "b" / "c" / "d" / "e" / "f" / "g" / "h" / "i" / "j" / "k"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert "results in /tmp/x." in screen.greeting(options(Path("/tmp/x")), 1)


def address(family: int, text: str) -> Any:
    """One of an interface's, as psutil has it."""
    return SimpleNamespace(family=family, address=text)


def test_the_start_says_who_can_reach_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the addresses that others know; those of cables that are out do not count."""
    v4, v6 = socket.AF_INET, socket.AF_INET6
    interfaces = {
        "lo": [address(v4, "127.0.0.1"), address(v6, "::1")],
        "eth0": [address(v4, "192.0.2.1"), address(v6, "fe80::1%eth0")],
        "eth1": [address(v4, "192.0.2.2")],
        "card": [address(socket.AF_PACKET, "02:fc:00:00:00:01")],
    }
    state = dict.fromkeys(interfaces, SimpleNamespace(isup=True))
    monkeypatch.setattr("psutil.net_if_addrs", lambda: interfaces)
    monkeypatch.setattr("psutil.net_if_stats", lambda: state)
    line = screen.who_gets_in(isolate=False)
    assert "reaches this machine at 192.0.2.1, fe80::1, 192.0.2.2 can read and" in line
    assert "--isolate" in line
    interfaces["eth1"] += [address(v4, "192.0.2.3"), address(v4, "192.0.2.4")]
    assert " at 192.0.2.1, fe80::1, 192.0.2.2 and 2 more can " in screen.who_gets_in(
        isolate=False
    )
    state["eth0"] = state["eth1"] = SimpleNamespace(isup=False)
    assert "whoever is on this machine" in screen.who_gets_in(isolate=False)
    assert screen.who_gets_in(isolate=True).startswith("isolated: nobody but")


def test_the_end_says_what_the_run_has_come_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The return, the baseline, and the time it took."""
    summary, *_ = told(tmp_path, Outcome("target_reached", 0), capsys)
    assert summary == (
        "target reached, average return 477.5 at train step 5,000, random policy 20.4, "
        "23 s to the target"
    )


def test_without_a_target_the_end_says_how_long_it_took(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And leaves out what is not known."""
    summary, *_ = told(
        tmp_path,
        Outcome("interrupted", 130),
        capsys,
        average_return=None,
        random_average_return=None,
        time_to_target_s=None,
    )
    assert summary == "interrupted, 66 s"


def test_the_end_names_only_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As paths that the user can open."""
    root_dir = tmp_path / "runs" / "one"
    (root_dir / "videos").mkdir(parents=True)
    (root_dir / "logs").mkdir()
    (root_dir / "videos" / "trained.mp4").touch()
    (root_dir / "report.html").touch()  # Of before a resume: it is made anew.
    monkeypatch.chdir(tmp_path)
    _, see, curves = told(root_dir, Outcome("max_train_steps", 0), capsys)
    assert see == "see runs/one: result.json, videos/trained.mp4, logs"
    assert curves.endswith("tensorboard --logdir runs/one")
    assert Path(curves.split()[1]).exists()


def test_the_log_gets_what_libraries_write_to_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Those in C write there directly; before and after, the terminal gets it."""
    path = tmp_path / "logs" / "in_process.log"
    os.write(2, b"before\n")

    def fail() -> None:
        with screen.log_to(path):
            os.write(2, b"from C\n")
            print("to the user", flush=True)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    os.write(2, b"after\n")
    captured = capfd.readouterr()
    assert captured.err == "before\nafter\n"
    assert captured.out == "to the user\n"
    assert "from C\n" in path.read_text()


def test_a_second_log_is_added_to_the_first(tmp_path: Path) -> None:
    """A resumed run keeps what was there."""
    path = tmp_path / "in_process.log"
    for text in (b"first\n", b"second\n"):
        with screen.log_to(path):
            os.write(2, text)
    assert path.read_text() == "first\nsecond\n"
