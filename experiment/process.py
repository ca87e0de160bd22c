"""The life of a process: how it starts, is told to stop, and ends."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import gc
import logging
import os
import select
import signal
import sys
import threading
from typing import Callable, TypeVar

import psutil
from absl import app, flags

from experiment.errors import (
    EXIT_CONFIGURATION,
    EXIT_FAILED,
    EXIT_FINISHED,
    FATAL_MARK,
    ConfigurationError,
)

_T = TypeVar("_T")

# Seconds between a stop signal and the end of a process that does not react.
GRACE_S = 10.0

# Name of the variable by which `launch/local.sh` says when its set-up was done.
_SET_UP_AT = "ANTIPHON_SET_UP_AT"

# Niceness of processes that the learner does not wait for.
_NICENESS = 5


@functools.cache
def started_at() -> float:
    """When this process started to do what it is for.

    Returns:
      Unix time in seconds: of the end of the set-up in front of it, or of its start.
    """
    told = os.environ.pop(_SET_UP_AT, None)  # It is not true of its children.
    return float(told) if told else psutil.Process().create_time()


def give_way() -> None:
    """Lowers this process's priority, unless it is as low already.

    Actors and the eval job take what the learner and the server leave of the processors
    they share (docs/performance.md).
    """
    own = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(own, _NICENESS))


class StopSignal:
    """Turns SIGTERM, SIGINT, SIGHUP into a flag, and into the end after a grace time.

    While the main thread is inside a call of Reverb or TensorFlow, a handler written
    in Python would not run. But Python's own handler in C, whichever thread it runs in,
    writes to the wake-up pipe at once, and a thread of ours reads that.
    """

    def __init__(
        self, grace_s: float = GRACE_S, at_last: Callable[[], None] = lambda: None
    ) -> None:
        """Starts to listen; call it in the main thread.

        Args:
          grace_s: Seconds after which the process ends by force.
          at_last: Called before it does.
        """
        self._event = threading.Event()
        self._number = 0
        self._grace_s = grace_s
        self.at_last = at_last
        self._pipe, wake_up = os.pipe()
        os.set_blocking(wake_up, False)
        signal.set_wakeup_fd(wake_up, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        threading.Thread(target=self._wait, name="stop-signal", daemon=True).start()

    def _wait(self) -> None:
        self._number = os.read(self._pipe, 1)[0]
        self._event.set()
        # A second signal means: now.
        select.select([self._pipe], [], [], self._grace_s)
        self.at_last()
        end_process(self.exit_code)

    def is_set(self) -> bool:
        """Whether the process was asked to stop."""
        return self._event.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Waits until the process is asked to stop; returns whether it was."""
        return self._event.wait(timeout_s)

    @property
    def exit_code(self) -> int:
        """0, or 128 + the signal's number, as shells have it."""
        return 128 + self._number if self._number else EXIT_FINISHED


_AT_END: list[Callable[[], None]] = []


def at_end(work: Callable[[], None]) -> None:
    """Lets something be called when this process ends, by whatever thread."""
    _AT_END.append(work)


def end_process(code: int) -> None:
    """Ends now, whatever threads of libraries are still blocked in."""
    with contextlib.suppress(OSError, ValueError):  # The terminal may be gone.
        for work in _AT_END:
            work()
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def fail(message: str, code: int = EXIT_FAILED) -> None:
    """Ends the process from any thread as failed, with one line that says why."""
    # A log on a full disk keeps nobody alive.
    with contextlib.suppress(OSError, ValueError):
        print(f"{FATAL_MARK}{message}", file=sys.stderr, flush=True)
    end_process(code)


def explain(error: Exception) -> tuple[str, int]:
    """What to tell of an error that ends a process; logs where an unexpected one was.

    Args:
      error: Being handled.

    Returns:
      What went wrong, and the exit code.
    """
    if isinstance(error, ConfigurationError):
        return str(error).splitlines()[0], EXIT_CONFIGURATION
    if isinstance(error, OSError):  # A full disk, say: its text tells it all.
        return str(error), EXIT_FAILED
    logging.exception("unexpected error")
    return f"{type(error).__name__}: {error}", EXIT_FAILED


def call(what: str, work: Callable[[], _T], timeout_s: float) -> _T:
    """Calls what may wait for ever, as most calls of Reverb do, with a deadline.

    Args:
      what: Is waited for, for the message.
      work: The call; it is left behind in its thread if it takes longer.
      timeout_s: Seconds to wait at most.

    Returns:
      What the call returns.

    Raises:
      TimeoutError: It took longer.
      Exception: What the call raises.
    """
    calls: concurrent.futures.Future[_T] = concurrent.futures.Future()

    def work_and_tell() -> None:
        try:
            calls.set_result(work())
        except BaseException as error:  # noqa: BLE001  (it is raised in the caller)
            calls.set_exception(error)

    threading.Thread(target=work_and_tell, name=what, daemon=True).start()
    try:
        return calls.result(timeout_s)
    except concurrent.futures.TimeoutError as error:
        raise TimeoutError(f"waited {timeout_s:.0f} s in vain for {what}") from error


def start_thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """Starts a thread whose failure ends the process: nobody would miss it otherwise.

    Args:
      name: Of the thread, for the message.
      work: What it does.

    Returns:
      The thread.
    """

    def guarded() -> None:
        try:
            work()
        except Exception as error:  # The last stop, as in `run`.
            logging.exception("unexpected error in thread %s", name)
            fail(f"thread {name}: {type(error).__name__}: {error}")

    thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()
    return thread


def run(main: Callable[[], int]) -> None:
    """Runs a role's main: parses the flags, maps every way to end to an exit code.

    Args:
      main: Returns the exit code.
    """

    def guarded(argv: list[str]) -> None:
        code = EXIT_FAILED
        try:
            if len(argv) > 1:
                raise ConfigurationError(
                    f"unknown argument {argv[1]!r}; flags are written --name=value."
                )
            code = main()
        except Exception as error:  # noqa: BLE001  (the last stop)
            fail(*explain(error))
        end_process(code)

    # What is imported stays: nobody has to look through it for garbage again.
    gc.freeze()
    gc.enable()
    app.run(guarded, flags_parser=_parse_flags)


def _parse_flags(argv: list[str]) -> list[str]:
    """Parses the flags; a wrong one is a configuration error (absl exits with 1)."""
    try:
        return list(flags.FLAGS(argv))
    except flags.Error as error:
        fail(str(error), EXIT_CONFIGURATION)
        raise
    except SystemExit:  # After --help, which absl calls a failure.
        end_process(EXIT_FINISHED)
        raise
