"""launch/actor.sh: an actor of a host without a launcher."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reverb_server.address import CONNECT_TIMEOUT_S, SERVER_TIMEOUT_S
from tests.launch.a_run import CHECKOUT

# In the place of the actor: ends with one code after another, or when it is told to.
_ACTOR = """
import signal, sys, time
from pathlib import Path
from types import FrameType

starts = Path("starts")
number = len(starts.read_text().splitlines()) if starts.exists() else 0
with starts.open("a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
code, _, lives_s = Path("codes").read_text().split()[number].partition("@")
time.sleep(float(lives_s or 0))
if code == "waits":
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda number, _: sys.exit(128 + number))
    print("waiting", flush=True)
    while True:
        time.sleep(0.05)  # A pause might begin after the signal.
sys.exit(int(code))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script, in a checkout that is set up, with another actor."""
    launch, programs = tmp_path / "launch", tmp_path / ".venv" / "bin"
    launch.mkdir()
    programs.mkdir(parents=True)
    (launch / "setup.sh").write_text("#!/bin/sh\n")
    (launch / "setup.sh").chmod(0o755)
    (launch / "run_module.py").write_text(_ACTOR)
    (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python").chmod(0o755)
    return Path(shutil.copy(CHECKOUT / "launch" / "actor.sh", launch))


def start(script: Path, codes: str) -> subprocess.Popen[str]:
    """Starts it with an actor that ends so."""
    folder = script.parent.parent
    (folder / "codes").write_text(codes)
    return subprocess.Popen(
        [script, "--task=3", "--server_address=here:1"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell cannot listen to what was ignored before, as in a background job.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


@pytest.mark.parametrize(
    ("codes", "ends_with", "said"),
    [
        ("0", 0, ""),
        ("2", 2, ""),
        ("75 75 0", 0, ""),
        ("1 0", 0, "ended with exit code 1; starting it again in 1 s"),
        ("137 2", 2, "ended with exit code 137; starting it again in 1 s"),
    ],
)
def test_it_is_started_again_until_there_is_nothing_to_do(
    codes: str, ends_with: int, said: str, script: Path
) -> None:
    """As by the launcher: 2 is never followed by a restart, 75 by one at once."""
    process = start(script, codes)
    _, error = process.communicate(timeout=100)
    assert process.returncode == ends_with
    assert said in error
    assert error.count("\n") == bool(said)
    starts = (script.parent.parent / "starts").read_text().splitlines()
    first, *others = starts
    assert first == "actor --task=3 --server_address=here:1"
    assert others == [f"{first} --is_restart"] * (len(codes.split()) - 1)


def test_it_gives_up_after_a_row_of_failures(script: Path) -> None:
    """Five restarts, as the launcher makes by default; without the pauses."""
    script.write_text(script.read_text().replace('sleep "$pause"', "sleep 0"))
    process = start(script, "1 75 1 1 1 1 9")
    _, error = process.communicate(timeout=100)
    assert process.returncode == 9
    assert "again in 16 s" in error
    assert error.count("\n") == 5


def test_who_has_lived_well_begins_anew(script: Path) -> None:
    """A failure now and then, over days, is no row of failures."""
    text = script.read_text()
    text = re.sub(r"MOST=5 WELL_S=\d+", "MOST=1 WELL_S=2", text)
    script.write_text(text.replace('sleep "$pause"', "sleep 0"))
    process = start(script, "1@2.1 1@2.1 1 0")
    _, error = process.communicate(timeout=100)
    assert process.returncode == 1
    assert error.count("again in 1 s") == 2


def test_who_has_waited_in_vain_has_not_lived_well() -> None:
    """Else an actor that never finds its server would be started again for ever."""
    text = (CHECKOUT / "launch" / "actor.sh").read_text()
    [well_s] = re.findall(r"WELL_S=(\d+)$", text, re.MULTILINE)
    assert int(well_s) > CONNECT_TIMEOUT_S + SERVER_TIMEOUT_S


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_passed_on(number: signal.Signals, script: Path) -> None:
    """And the actor is waited for."""
    process = start(script, "waits")
    assert process.stdout
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(number)
    process.communicate(timeout=100)
    assert process.returncode == 128 + number


def test_a_signal_ends_a_pause_too(script: Path) -> None:
    """Before the actor is there again."""
    process = start(script, "1 1 1 1 0")
    assert process.stderr
    for line in process.stderr:
        if "again in 8 s" in line:
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=7)
    assert process.returncode == 128 + signal.SIGTERM
