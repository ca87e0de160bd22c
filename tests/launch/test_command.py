"""launch/command.py: the ports of a run, and what comes after it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import portpicker
import pytest

from experiment.errors import ConfigurationError
from launch import command, screen
from launch.options import Options
from launch.report import page
from reverb_server import port as port_lib
from tests.launch.a_run import CHECKOUT, options
from tests.launch.report import a_folder

# A launcher whose run is over at once, and whose report takes for ever.
_AFTER_A_RUN = """
import dataclasses, sys, threading
from pathlib import Path
from experiment import process
from launch import command
from launch.report import page
from launch.result import Outcome
from tests.launch.a_run import options

def write(*_):
    print("making the report", flush=True)
    threading.Event().wait(60)

page.write = write
command.flags.read = lambda _: options(Path(sys.argv[1]))
command._run_processes = lambda *_: Outcome("failed", 1, "the learner broke")
process.run(command.main)
"""


def hold(port: int) -> bool:
    """Whether a port could be held just now."""
    try:
        holder, _ = port_lib.reserve(port)
    except ConfigurationError:
        return False
    holder.close()
    return True


def free_ports(count: int) -> int:
    """The first of so many free ones, one after the other."""
    for _ in range(100):
        first = int(portpicker.pick_unused_port())
        if all(hold(first + number) for number in range(count)):
            return first
    pytest.fail(f"no {count} free ports one after the other")


def test_further_replay_servers_get_the_ports_after_the_one_asked_for(
    tmp_path: Path,
) -> None:
    """Nobody else can take them, until the end of the run."""
    first = free_ports(3)
    wanted = [first, first + 1, first + 2]
    run = options(tmp_path, port=first, num_replay_servers=3)
    with command._held_ports(run) as ports:
        assert ports == wanted
        assert not any(map(hold, wanted))
    assert all(map(hold, wanted))
    with command._held_ports(options(tmp_path, port=first)) as ports:
        assert ports == [first]
        assert hold(first + 1)


def test_without_a_wish_each_replay_server_gets_another_free_port(
    tmp_path: Path,
) -> None:
    with command._held_ports(options(tmp_path, num_replay_servers=3)) as ports:
        assert len(set(ports)) == 3
        assert not any(map(hold, ports))


def test_a_port_that_a_further_replay_server_cannot_have_is_told_with_the_reason(
    tmp_path: Path,
) -> None:
    """The user has named another one; which is free again."""
    first = free_ports(2)
    holder, _ = port_lib.reserve(first + 1)
    with holder:
        said = unheld(options(tmp_path, port=first, num_replay_servers=2))
    assert said.startswith(f"--port={first} is for the first of 2 replay servers, and")
    assert f": --port {first + 1} is in use by another process" in said
    assert hold(first)
    said = unheld(options(tmp_path, port=65_535, num_replay_servers=2))
    assert said.endswith(": --port is 65536; it must be from 1 to 65535.")


def test_a_free_port_that_is_lost_just_then_is_not_said_to_follow_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has asked for any."""
    first = free_ports(2)
    picked = iter([first, first + 1])
    monkeypatch.setattr(portpicker, "pick_unused_port", lambda: next(picked))
    holder, _ = port_lib.reserve(first + 1)
    with holder:
        said = unheld(options(tmp_path, num_replay_servers=2))
    assert said.startswith(f"--port {first + 1} is in use by another process")


def unheld(run: Options) -> str:
    """The message by which the ports of a run are refused."""
    with pytest.raises(ConfigurationError) as raised, command._held_ports(run):
        pass
    return str(raised.value)


def test_who_does_not_wait_for_the_report_loses_nothing_else(tmp_path: Path) -> None:
    """What has become of the run is told before, what went wrong is the last line."""
    program = _AFTER_A_RUN.replace("sys.argv[1]", repr(str(a_folder.make(tmp_path))))
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert launcher.stdout
        said = []
        for line in launcher.stdout:
            said.append(line.strip())
            if line == "making the report\n":
                launcher.send_signal(signal.SIGINT)
                launcher.send_signal(signal.SIGTERM)  # Two equal ones may become one.
        assert launcher.wait(60) in (130, 143)
    summary, see, _, _, error = said
    assert summary.startswith("failed, average return")
    assert see.startswith("see ")
    assert "report.html" not in see
    assert error == "the learner broke"


def test_a_run_gets_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command._report(a_folder.make(tmp_path))
    path = tmp_path / "report.html"
    assert "broken off" in path.read_text()
    assert capsys.readouterr().out == f"report: {screen.short(path)}\n"


def test_a_run_that_never_was_gets_none(tmp_path: Path) -> None:
    command._report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_report_that_cannot_be_made_is_told_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And is all that is lost."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("so it is\nand more")

    monkeypatch.setattr(page, "write", fail)
    command._report(a_folder.make(tmp_path))
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("report.html could not be made (so it is); try again by ")
