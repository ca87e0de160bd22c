"""reverb_server/replay_snapshots.py: which snapshots are kept, and which are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiment import run_dir
from experiment.errors import ConfigurationError
from reverb_server.replay_snapshots import ReplaySnapshots, Snapshot

FILES = ("tables.tfrecord", "items.tfrecord", "chunks.tfrecord", "DONE")


def write(folder: Path) -> Path:
    """What Reverb's checkpointer leaves, with some bytes in it."""
    folder.mkdir(parents=True)
    for name in FILES[:-1]:
        (folder / name).write_text(f"{folder.name} {name}")
    (folder / "DONE").touch()
    return folder


def kept(root_dir: Path) -> list[str]:
    """The names of all folders of snapshots, hidden ones included."""
    folder = root_dir / run_dir.REPLAY_DIR / "snapshots"
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def snapshots(tmp_path: Path) -> ReplaySnapshots:
    """Of a new run."""
    return prepared(tmp_path)


def prepared(root_dir: Path) -> ReplaySnapshots:
    """As a server that starts has them."""
    made = ReplaySnapshots(root_dir)
    made.prepare()
    return made


def keep(snapshots: ReplaySnapshots, train_step: int, env_steps: int = 0) -> Snapshot:
    """Lets Reverb write one, and takes it."""
    checkpoint = write(snapshots.working / f"2026-01-01T00:00:{train_step}")
    return snapshots.keep(checkpoint, train_step, env_steps)


def have_checkpoint(root_dir: Path, train_step: int) -> None:
    """The learner has stored its weights too."""
    folder = root_dir / run_dir.CHECKPOINTS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"ckpt-{train_step}.index").touch()


def test_a_snapshot_is_named_by_its_train_step(
    snapshots: ReplaySnapshots, tmp_path: Path
) -> None:
    """It has left Reverb's folder, and is found again by the next server."""
    assert not snapshots.are_there()
    snapshot = keep(snapshots, 1_200, env_steps=4_000)
    assert (snapshot.train_step, snapshot.env_steps) == (1_200, 4_000)
    assert snapshots.folder(snapshot).name == "000000001200"
    assert set(snapshot.sizes) == set(FILES)
    assert list(snapshots.working.iterdir()) == []
    text = (snapshots.folder(snapshot) / "items.tfrecord").read_text()
    assert text == "2026-01-01T00:00:1200 items.tfrecord"
    assert prepared(tmp_path).newest_first() == [snapshot]
    assert snapshots.are_there()


def test_the_newest_comes_first_and_only_two_are_kept(
    snapshots: ReplaySnapshots, tmp_path: Path
) -> None:
    """The newest by train step, not by name: 900 comes before 1,000."""
    made = [keep(snapshots, step) for step in (0, 900, 1_000, 20_000)]
    assert snapshots.newest_first() == [made[3], made[2]]
    assert kept(tmp_path) == ["000000001000", "000000020000"]


def test_one_of_the_same_train_step_is_replaced(
    snapshots: ReplaySnapshots, tmp_path: Path
) -> None:
    """A starved learner saves again without having learned."""
    keep(snapshots, 5, env_steps=10)
    newer = keep(snapshots, 5, env_steps=20)
    assert snapshots.newest_first() == [newer]
    assert kept(tmp_path) == ["000000000005"]


def test_those_that_belong_to_a_checkpoint_are_preferred(
    snapshots: ReplaySnapshots, tmp_path: Path
) -> None:
    """The newest one was stored, but its weights were not any more."""
    older, newer = keep(snapshots, 100), keep(snapshots, 200)
    assert snapshots.newest_first() == [newer, older]
    have_checkpoint(tmp_path, 100)
    assert snapshots.newest_first() == [older, newer]
    have_checkpoint(tmp_path, 200)
    assert snapshots.newest_first() == [newer, older]


@pytest.mark.parametrize("name", FILES[:-1])
def test_a_file_that_was_cut_off_is_not_taken(
    name: str, snapshots: ReplaySnapshots, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says which snapshot it is; the one before is there."""
    older, newer = keep(snapshots, 1), keep(snapshots, 2)
    path = snapshots.folder(newer) / name
    path.write_bytes(path.read_bytes()[:-1])
    assert snapshots.newest_first() == [older]
    assert f"{snapshots.folder(newer)} is damaged" in caplog.text
    assert snapshots.are_there()


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"train_step": 1}'])
def test_a_snapshot_without_its_record_is_not_taken(
    text: str | None, snapshots: ReplaySnapshots, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor one that misses a file; they are there, though, and that is told."""
    record = snapshots.folder(keep(snapshots, 1)) / "snapshot.json"
    record.unlink()
    if text is not None:
        record.write_text(text)
    lost = snapshots.folder(keep(snapshots, 2)) / "DONE"
    lost.unlink()
    assert snapshots.newest_first() == []
    assert caplog.text.count("is damaged") == 2
    assert snapshots.are_there()


def test_what_is_not_whole_is_not_kept(snapshots: ReplaySnapshots) -> None:
    """Whoever lets it be kept hears of it."""
    checkpoint = write(snapshots.working / "2026")
    (checkpoint / "chunks.tfrecord").unlink()
    with pytest.raises(FileNotFoundError):
        snapshots.keep(checkpoint, 1, 1)
    assert not snapshots.are_there()


@pytest.mark.parametrize("name", ["notes.txt", "data/notes.txt"])
def test_what_is_not_reverbs_is_refused_and_left_alone(
    name: str, tmp_path: Path
) -> None:
    """Reverb would delete it without a word."""
    mine = prepared(tmp_path).working / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(ConfigurationError, match=r"no checkpoint of Reverb") as raised:
        prepared(tmp_path)
    assert name.partition("/")[0] in str(raised.value)
    assert mine.read_text() == "mine"


def test_what_a_crash_left_behind_is_removed(tmp_path: Path) -> None:
    """A checkpoint nobody took, one half written, and a half-deleted snapshot."""
    snapshots = prepared(tmp_path)
    snapshot = keep(snapshots, 7)
    write(snapshots.working / "whole")
    (write(snapshots.working / "half") / "DONE").unlink()
    snapshots.folder(snapshot).with_name(".000000000003").mkdir()
    again = prepared(tmp_path)
    assert again.newest_first() == [snapshot]
    assert list(again.working.iterdir()) == []
    assert kept(tmp_path) == ["000000000007"]


def test_only_unfinished_ones_are_cleaned_up(snapshots: ReplaySnapshots) -> None:
    """Another one may be about to be kept."""
    write(snapshots.working / "whole")
    (write(snapshots.working / "half") / "DONE").unlink()
    snapshots.clean()
    assert [path.name for path in snapshots.working.iterdir()] == ["whole"]
