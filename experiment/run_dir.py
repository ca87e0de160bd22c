"""Names inside a run's folder, and who may use the folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

from experiment.errors import ConfigurationError
from experiment.manifest import Manifest

MANIFEST = "run.json"
CONFIG = "config.gin"
METRICS = "metrics.jsonl"
FAULTS = "faults.jsonl"
RESULT = "result.json"
END = "end.npz"  # While the run ends: why, and its weights.
SCALE = "scale.json"  # While `launch.scale` waits: what it asks for, and the answer.
RETURNS_PLOT = "returns.png"
REPORT = "report.html"
LOGS_DIR = "logs"
VIDEOS_DIR = "videos"
EVAL_DIR = "eval"  # Beside TF-Agents' own `train` and `policies`.
TELEMETRY_DIR = "telemetry"
RETURNS = f"{EVAL_DIR}/returns.csv"
RANDOM_RETURNS = f"{EVAL_DIR}/random_policy.csv"

CHECKPOINTS = Path("train", "checkpoints")  # TF-Agents' own place.
REPLAY_DIR = "replay"

# Looked through for the newest row of a role: those of some minutes.
_TAIL_BYTES = 2**20

# For so many seconds a run waits for readers that look whether its folder is in use.
_LOOK_S = 0.5

RUNS = Path("runs")
LATEST = "latest"


def claim(root_dir: Path, resume: bool) -> Path:
    """Makes the folder of a run, or takes over that of a run to resume.

    Args:
      root_dir: The folder; need not exist.
      resume: Whether a run in it shall go on.

    Returns:
      The absolute path.

    Raises:
      ConfigurationError: It cannot be written, holds another run, or holds none
        although `resume` is set.
    """
    try:
        root_dir = root_dir.expanduser().resolve()
        used = (root_dir / MANIFEST).exists()
    except (OSError, RuntimeError) as error:  # No such user; a loop of links.
        raise ConfigurationError(
            f"--root_dir {root_dir} cannot be used ({error}); choose another."
        ) from error
    # There is no link yet, or it would be resolved.
    if root_dir == RUNS.resolve() / LATEST and not resume:
        raise ConfigurationError(
            f"--root_dir {root_dir} is where the link to the newest run belongs; "
            "choose another folder."
        )
    if used and not resume:
        raise ConfigurationError(
            f"--root_dir {root_dir} holds the run {read_manifest(root_dir).run_id} "
            "already; choose another folder, or go on with that run by --resume."
        )
    if resume and not used:
        raise ConfigurationError(
            f"--resume: {root_dir} holds no run ({MANIFEST} is missing); start without "
            "--resume, or name the folder of the run."
        )
    require_writable(root_dir)
    return root_dir


def read_manifest(root_dir: Path) -> Manifest:
    """The manifest of the run in a folder.

    Raises:
      ConfigurationError: It cannot be read.
    """
    path = root_dir / MANIFEST
    try:
        return Manifest.from_json(path.read_text())
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{path} is not the manifest of a run that this version can go on with "
            f"({error}); start a new run in another --root_dir."
        ) from error


def has_stored(root_dir: Path) -> bool:
    """Whether a run has stored weights or experience in its folder."""
    stored = (
        *(root_dir / CHECKPOINTS).glob("ckpt-*.index"),
        *(root_dir / REPLAY_DIR / "snapshots").glob("[0-9]*"),
    )
    return bool(stored)


def last_heard(root_dir: Path) -> float:
    """Unix time of the last figures of the run in a folder, or of its start."""
    metrics = root_dir / METRICS
    newest = metrics if metrics.exists() else root_dir / MANIFEST
    return newest.stat().st_mtime


def last_row(root_dir: Path, role: str) -> dict[str, Any]:
    """The newest row of a role in the metrics; empty if there is none lately."""
    metrics = root_dir / METRICS
    if not metrics.exists():
        return {}
    with metrics.open("rb") as file:
        file.seek(max(0, metrics.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    for line in reversed(lines):
        with contextlib.suppress(ValueError):  # Cut off, at either end.
            row: dict[str, Any] = json.loads(line)
            if row["role"] == role:
                return row
    return {}


def require_writable(root_dir: Path) -> None:
    """Makes the folder if need be.

    Raises:
      ConfigurationError: It cannot be made or written.
    """
    try:
        root_dir.mkdir(parents=True, exist_ok=True)
        probe = root_dir / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        if error.errno == errno.ENOSPC and (root_dir / MANIFEST).exists():
            return  # The run goes on with a full disk.
        raise ConfigurationError(
            f"--root_dir {root_dir} cannot be written ({error.strerror}); choose "
            "another folder."
        ) from error


def require_own(folder: Path, run_id: str, holds: str, is_used: bool) -> None:
    """Refuses what another run has stored; marks an unused folder as this run's.

    Args:
      folder: On any host, which need not be that of the run's manifest.
      run_id: Of the run.
      holds: What is stored there, in words.
      is_used: Whether anything is.

    Raises:
      ConfigurationError: It is of another run, or of one that nobody knows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "run_id"
    owner = mark.read_text().strip() if mark.exists() else None
    if owner not in (None, run_id) or (owner is None and is_used):
        raise ConfigurationError(
            f"{folder} holds {holds} of run {owner or 'of unknown name'}, but the "
            f"server's is {run_id}; choose another --root_dir for this process, or "
            "move that folder away."
        )
    if owner is None:
        write_text(mark, run_id)


def lock(root_dir: Path) -> int:
    """Keeps other runs out of a folder for as long as the descriptor is open.

    Returns:
      The descriptor; the end of the process closes it too.

    Raises:
      ConfigurationError: A run in this folder is still going.
    """
    root_dir.mkdir(parents=True, exist_ok=True)
    folder = os.open(root_dir, os.O_RDONLY)
    deadline = time.monotonic() + _LOOK_S
    while not _locked(folder, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            os.close(folder)
            raise ConfigurationError(
                f"--root_dir {root_dir} is in use by a run that is still going; end "
                "it, or choose another folder."
            )
        time.sleep(_LOOK_S / 20)
    return folder


def _locked(folder: int, kind: int) -> bool:
    """Whether a lock could be had at once."""
    try:
        fcntl.flock(folder, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_in_use(root_dir: Path) -> bool:
    """Whether a run in a folder, which must be there, is still going.

    Readers share their look, and keep a run that starts just then waiting for no longer
    than an instant.
    """
    folder = os.open(root_dir, os.O_RDONLY)
    try:
        return not _locked(folder, fcntl.LOCK_SH)
    finally:
        os.close(folder)


def new_root_dir(runs: Path = RUNS) -> Path:
    """Makes a fresh folder for a run, named by the time; no two runs get the same."""
    name = time.strftime("%Y-%m-%d_%H-%M-%S")
    require_writable(runs)
    for candidate in [name, *(f"{name}_{number}" for number in range(2, 1000))]:
        with contextlib.suppress(FileExistsError):
            (runs / candidate).mkdir()
            return runs / candidate
    raise ConfigurationError(f"{runs} has too many runs of this second; try again.")


def point_latest(root_dir: Path) -> None:
    """Lets `latest`, beside a run's folder, point to it."""
    link = root_dir.parent / LATEST
    fresh = root_dir.parent / f".{LATEST}-{os.getpid()}"
    fresh.symlink_to(root_dir.name)
    fresh.replace(link)


def write_text(path: Path, text: str) -> None:
    """Writes a file at once or not at all: a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def append_text(path: Path, text: str) -> None:
    """Appends whole lines, all or none; what a killed process left half is ended.

    Raises:
      OSError: The disk is full, say; the file is as long as it was.
    """
    if path.exists() and path.stat().st_size:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            text = text if file.read(1) == b"\n" else f"\n{text}"
    append_bytes(path, text.encode())


def append_bytes(path: Path, data: bytes) -> None:
    """Appends all or nothing.

    Raises:
      OSError: The disk is full, say; the file is as long as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A buffer would write the rest when it is closed, into space that has come free.
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            while data:
                data = data[file.write(data) :]
        except OSError:
            file.truncate(size)
            raise
