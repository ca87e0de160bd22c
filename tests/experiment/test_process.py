"""experiment/process.py: real processes, and every way they end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import portpicker
import pytest

ROOT = Path(__file__).parents[2]

# What every script begins and ends with; between is the body of its main.
BEFORE = """
import gc
gc.disable()
import threading, time
from absl import flags
from experiment import process
from experiment.errors import ConfigurationError

_STEPS = flags.DEFINE_integer("steps", 1, "Steps to take.", lower_bound=0)

def main():
"""
AFTER = """
process.run(main)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process whose main has the given body; none outlives its test."""
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    with contextlib.ExitStack() as stack:

        def start_main(body: str, *args: str) -> subprocess.Popen[str]:
            lines = [f"    {line}" for line in body.strip().splitlines()]
            process = subprocess.Popen(
                [sys.executable, "-c", BEFORE + "\n".join(lines) + AFTER, *args],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start_main


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    """Waits until the process has written this line."""
    assert process.stdout is not None
    found = process.stdout.readline()
    assert found == f"{line}\n", process.communicate(timeout=60)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, output and errors, once it has ended."""
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def test_garbage_is_collected_though_it_was_not_during_the_imports(
    start: Start,
) -> None:
    """As launch/run_module.py starts processes; what was imported is left out."""
    body = "print(gc.isenabled(), gc.get_freeze_count() > 10_000)"
    assert ended(start(body))[1] == "True True\n"


LOOP = """
stop = process.StopSignal()
assert not stop.is_set()
print("ready", flush=True)
while not stop.wait(60):
    pass
assert stop.is_set()
print("saved")
return stop.exit_code
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_a_stop_signal_lets_the_process_finish_its_work(
    start: Start, number: signal.Signals, code: int
) -> None:
    """And the exit code tells of the signal, as shells have it."""
    process = start(LOOP)
    wait_for(process, "ready")
    process.send_signal(number)
    assert ended(process) == (code, "saved\n", "")


def test_a_process_that_was_not_stopped_ends_with_what_its_main_returns(
    start: Start,
) -> None:
    """0 if that is the signal's exit code."""
    assert ended(start("return process.StopSignal().exit_code")) == (0, "", "")
    assert ended(start("return 75")) == (75, "", "")


def test_a_stuck_process_is_ended_after_the_grace(start: Start) -> None:
    """What has to be done at last is done before."""
    process = start("""
stop = process.StopSignal(grace_s=0.3, at_last=lambda: print("at last"))
print("ready", flush=True)
threading.Event().wait()
""")
    wait_for(process, "ready")
    process.terminate()
    assert ended(process) == (143, "at last\n", "")


def test_a_call_of_reverb_that_waits_for_ever_is_ended_after_the_grace(
    start: Start,
) -> None:
    """It never returns to the interpreter, so no handler in Python would run."""
    process = start(f"""
stop = process.StopSignal(grace_s=0.3)
import reverb
client = reverb.Client("localhost:{portpicker.pick_unused_port()}")
print("ready", flush=True)
client.server_info()
""")
    wait_for(process, "ready")
    process.terminate()
    assert ended(process)[0] == 143


def test_a_second_signal_means_now(start: Start) -> None:
    """The grace is not waited for."""
    process = start("""
stop = process.StopSignal(grace_s=3600)
print("ready", flush=True)
stop.wait(60)
print("stopping", flush=True)
threading.Event().wait()
""")
    wait_for(process, "ready")
    process.send_signal(signal.SIGINT)
    wait_for(process, "stopping")
    process.terminate()
    assert ended(process)[0] == 130


def test_no_thread_holds_up_the_end(start: Start) -> None:
    """Those of libraries may be blocked for ever."""
    process = start("""
threading.Thread(target=threading.Event().wait).start()
print("done")
return 0
""")
    assert ended(process) == (0, "done\n", "")


def test_any_thread_can_end_the_process_with_a_reason(start: Start) -> None:
    """Though the main thread is blocked."""
    process = start("""
threading.Thread(target=process.fail, args=("the server is gone.",)).start()
threading.Event().wait()
""")
    assert ended(process) == (1, "", "fatal: the server is gone.\n")


def test_a_configuration_error_is_one_line_and_2(start: Start) -> None:
    """What gin adds below is for us, not for the user."""
    process = start("raise ConfigurationError('x is 0; it must be 1.\\n  In call to')")
    assert ended(process) == (2, "", "fatal: x is 0; it must be 1.\n")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--stepz=3", "stepz"),
        ("--steps=three", "three"),
        ("--steps=-1", "steps"),
        ("steps", "'steps'"),
    ],
)
def test_a_wrong_argument_is_a_configuration_error(
    start: Start, argument: str, words: str
) -> None:
    """By absl alone it would be 1, and restarted; and stray words would be taken."""
    code, output, errors = ended(start("print('ran')\nreturn 0", argument))
    assert (code, output) == (2, "")
    assert errors.startswith("fatal: ")
    assert words in errors


def test_flags_are_read(start: Start) -> None:
    """As written; else as defined."""
    body = "print(_STEPS.value)\nreturn 0"
    assert ended(start(body, "--steps=3")) == (0, "3\n", "")
    assert ended(start(body)) == (0, "1\n", "")


def test_the_exit_code_outlives_the_terminal(start: Start) -> None:
    """What is left to print then is lost, no more."""
    process = start("""
stop = process.StopSignal()
print("ready", flush=True)
stop.wait(60)
print("this goes nowhere")
return stop.exit_code
""")
    wait_for(process, "ready")
    assert process.stdout is not None
    process.stdout.close()
    process.terminate()
    assert process.wait(timeout=60) == 143


def test_help_is_no_failure(start: Start) -> None:
    """And explains the main's flags."""
    code, output, _ = ended(start("return 1", "--help"))
    assert code == 0
    assert "Steps to take." in output


def test_any_other_error_is_reported_in_full_and_1(start: Start) -> None:
    """The traceback for us, the last line for who looks at the log's end."""
    code, output, errors = ended(start("return {}['weights']"))
    assert (code, output) == (1, "")
    assert "Traceback" in errors
    assert errors.splitlines()[-1] == "fatal: KeyError: 'weights'"


def test_a_thread_that_fails_ends_the_process(start: Start) -> None:
    """Nobody would miss it otherwise; the message names it."""
    process = start("""
process.start_thread("puller", lambda: {}["weights"])
threading.Event().wait()
""")
    code, _, errors = ended(process)
    assert code == 1
    assert "Traceback" in errors
    assert errors.splitlines()[-1] == "fatal: thread puller: KeyError: 'weights'"


def test_a_thread_that_goes_on_does_not_hold_up_the_end(start: Start) -> None:
    """Nor does one that has done its work end anything."""
    process = start("""
process.start_thread("done", lambda: print("done")).join()
process.start_thread("busy", threading.Event().wait)
return 0
""")
    assert ended(process) == (0, "done\n", "")


def test_time_counts_from_the_end_of_the_set_up(start: Start) -> None:
    """Of this process, not of what it starts."""
    body = """
import os
os.environ["ANTIPHON_SET_UP_AT"] = "1000.5"
print(process.started_at(), "ANTIPHON_SET_UP_AT" in os.environ)
return 0
"""
    assert ended(start(body)) == (0, "1000.5 False\n", "")


def test_without_a_set_up_time_counts_from_the_start(start: Start) -> None:
    """That of the interpreter, imports included."""
    body = """
import psutil
print(process.started_at() - psutil.Process().create_time())
return 0
"""
    assert ended(start(body)) == (0, "0.0\n", "")


@pytest.mark.parametrize(("inherited", "then"), [(0, 5), (3, 5), (10, 10)])
def test_giving_way_never_asks_for_more(
    inherited: int, then: int, start: Start
) -> None:
    """A user may have started everything at a lower priority; only root could raise."""
    body = f"""
import os
os.setpriority(os.PRIO_PROCESS, 0, {inherited})
process.give_way()
print(os.getpriority(os.PRIO_PROCESS, 0))
return 0
"""
    assert ended(start(body)) == (0, f"{then}\n", "")
