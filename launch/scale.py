"""`python -m launch.scale`: adds actors to a run that goes on, or takes some away."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any, Callable

from absl import flags

from experiment import flags as shared_flags
from experiment import process, run_dir
from experiment.errors import EXIT_FINISHED, ConfigurationError
from experiment.manifest import Manifest
from launch import memory, supervisor
from launch.plain_view import print_line
from launch.progress import Tail
from reverb_server import figures
from reverb_server.scale_request import ScaleRequest

_ROOT_DIR = shared_flags.define_root_dir(f"default: {run_dir.RUNS / run_dir.LATEST}")
_NUM_ACTORS = flags.DEFINE_integer(
    "num_actors", None, "Actor processes that the run is to have; required."
)

_POLL_S = 0.1

# Seconds for the server to answer; one that has just died needs some to come back.
_ANSWER_TIMEOUT_S = 120.0

# Seconds of silence after which an actor is taken to be gone, though it did not say so.
_SILENT_S = 10.0


class Actors:
    """The actors of a run that are at work, as its figures tell from now on."""

    def __init__(self, root_dir: Path, leaving: range) -> None:
        """Has heard of nobody.

        Args:
          root_dir: Folder of the run.
          leaving: Numbers of actors that count until they have gone.
        """
        self._rows = Tail(root_dir / run_dir.METRICS)
        self._rows.skip()
        now = time.monotonic()
        self._heard: dict[int, tuple[float, dict[str, Any]]] = {
            task: (now, {"env_steps": 1}) for task in leaving
        }
        self.run_has_ended = False

    def count(self) -> int:
        """How many have collected, were heard of just now, and have not left."""
        now = time.monotonic()
        for line in self._rows.read():
            with contextlib.suppress(ValueError):  # Cut off by a kill.
                row = json.loads(line)
                if row["role"] == figures.ACTOR:
                    self._heard[row["task"]] = (now, row)
                self.run_has_ended |= row["role"] == figures.RUN
        return sum(
            bool(row.get("env_steps"))
            and not row.get("has_left")
            and now - heard_at < _SILENT_S
            for heard_at, row in self._heard.values()
        )


def scale(root_dir: Path, num_actors: int, say: Callable[[str], None]) -> str:
    """Asks a run for a number of actors, and waits until it has them.

    Args:
      root_dir: Folder of the run.
      num_actors: Wanted.
      say: Shows a line to the user.

    Returns:
      What has come of it, in one line.

    Raises:
      ConfigurationError: No such run goes on, or it cannot have so many.
      TimeoutError: It has taken the number up, but has not got there in time.
    """
    start, manifest = time.monotonic(), _scalable(root_dir)
    before, shards = manifest.num_actors, memory.shards_beside_first(manifest)
    if memory.is_of_new_actors(root_dir):
        memory.check(num_actors, shards)
        warning = memory.warning_of_more(max(num_actors - before, 0))
        if warning:
            say(warning)
    actors = Actors(root_dir, leaving=range(num_actors, before))
    _ask(root_dir, ScaleRequest(num_actors))
    timeout_s = supervisor.start_patience_s(num_actors + shards + memory.OTHERS)
    _wait(lambda: actors.count() == num_actors or actors.run_has_ended, timeout_s)
    if actors.run_has_ended:
        raise TimeoutError(f"the run in {root_dir} has ended meanwhile.")
    if actors.count() != num_actors:
        raise TimeoutError(
            f"the run in {root_dir} is to have {num_actors} actors now, but "
            f"{actors.count()} were at work after {timeout_s:.0f} s: see its screen "
            f"and {run_dir.LOGS_DIR}/; actors that were started by hand are yours to "
            "start and to end."
        )
    seconds = time.monotonic() - start
    return f"{num_actors} actors at work ({before} before), after {seconds:.0f} s"


def _scalable(root_dir: Path) -> Manifest:
    """The manifest of a run that goes on, with processes of its own."""
    if not (root_dir / run_dir.MANIFEST).exists() or not run_dir.is_in_use(root_dir):
        raise ConfigurationError(
            f"--root_dir {root_dir} holds no run that goes on here; name the folder of "
            "one, or start it with --num_actors."
        )
    manifest = run_dir.read_manifest(root_dir)
    if manifest.in_process:
        raise ConfigurationError(
            f"the run in {root_dir} was started with --in_process, which has one "
            "actor; start it without."
        )
    if manifest.actors_elsewhere:
        raise ConfigurationError(
            f"the run in {root_dir} has {manifest.actors_elsewhere} actors that were "
            "started elsewhere, with the highest numbers, so these cannot be given to "
            "others; end it, and go on by --resume with --num_actors and "
            "--actors_elsewhere."
        )
    return manifest


def _ask(root_dir: Path, asked: ScaleRequest) -> None:
    """Hands in a request, and waits until the server has taken it up."""
    if not asked.hand_in(root_dir, 2 * _ANSWER_TIMEOUT_S):
        raise _taken(root_dir)

    def answer() -> ScaleRequest:
        found = ScaleRequest.read(root_dir)
        if found is None or found.request_id != asked.request_id:
            raise _taken(root_dir)
        return found

    try:
        _wait(lambda: answer().is_answered, _ANSWER_TIMEOUT_S)
        answered = answer()
    finally:
        found = ScaleRequest.read(root_dir)
        if found and found.request_id == asked.request_id:
            ScaleRequest.forget(root_dir)
    if answered.refusal is not None:
        raise ConfigurationError(answered.refusal)
    if not answered.is_taken:
        raise TimeoutError(
            f"the server of the run in {root_dir} has not answered for "
            f"{_ANSWER_TIMEOUT_S:.0f} s; see {run_dir.LOGS_DIR}/reverb_server.log."
        )


def _taken(root_dir: Path) -> ConfigurationError:
    return ConfigurationError(
        f"another command asks the run in {root_dir} for a number of actors, or the "
        "run has been started anew; wait a moment, then try again."
    )


def _wait(is_over: Callable[[], bool], timeout_s: float) -> None:
    """Waits for something, but no longer than so many seconds."""
    deadline = time.monotonic() + timeout_s
    while not is_over() and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def main() -> int:
    """Parses, checks, asks, waits."""
    if _NUM_ACTORS.value is None:
        raise ConfigurationError("--num_actors is required, e.g. --num_actors=4.")
    shared_flags.check_num_actors(_NUM_ACTORS.value)
    root_dir = Path(_ROOT_DIR.value or run_dir.RUNS / run_dir.LATEST).expanduser()
    print_line(scale(root_dir, _NUM_ACTORS.value, print_line))
    return EXIT_FINISHED


if __name__ == "__main__":
    process.run(main)
