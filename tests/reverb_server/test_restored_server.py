"""reverb_server/restored_server.py and replay_restore.py: a replay table comes back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import pytest

from experiment.errors import ConfigurationError
from reverb_server import replay_restore, tables
from reverb_server.replay_snapshots import ReplaySnapshots
from tests.reverb_server.replay_server import replay_server


def test_a_new_run_begins_with_an_empty_table(tmp_path: Path) -> None:
    """Nothing was restored."""
    with replay_server(tmp_path) as replay:
        assert replay.restored is None
        assert replay.info().current_size == 0


def test_items_come_back_with_the_counters_of_then(tmp_path: Path) -> None:
    """The rate limiter goes on where it was; what came after is lost."""
    with replay_server(tmp_path) as before:
        before.insert(range(20))
        list(before.client.sample(tables.REPLAY, 7))
        stored = before.store(train_step=5)
        before.insert([77])
    with replay_server(tmp_path) as after:
        assert after.restored == stored
        limiter = after.info().rate_limiter_info
        assert limiter.insert_stats.completed == 20
        assert limiter.sample_stats.completed == 7
        assert after.info().current_size == 20
        assert after.numbers() == set(range(20))
        after.insert([55])
        assert after.numbers() == {*range(20), 55}


def test_the_settings_are_those_of_today(tmp_path: Path) -> None:
    """Reverb itself would bring back the old ones."""
    with replay_server(tmp_path) as before:
        before.insert(range(20))
        before.store(train_step=5)
        old = before.info()
    changes = {"max_size": 300, "samples_per_insert": 4.0, "min_size": 3}
    with replay_server(tmp_path, **changes) as after:
        found = after.info()
        assert (old.max_size, found.max_size) == (100, 300)
        limiter = found.rate_limiter_info
        assert limiter.samples_per_insert == 4.0
        assert limiter.min_size_to_sample == 3
        assert limiter.min_diff != old.rate_limiter_info.min_diff
        assert limiter.max_diff != old.rate_limiter_info.max_diff
    with replay_server(tmp_path / "new", **changes) as new:
        fresh = new.info().rate_limiter_info
        assert (limiter.min_diff, limiter.max_diff) == (fresh.min_diff, fresh.max_diff)


def test_a_smaller_table_drops_the_oldest(tmp_path: Path) -> None:
    """All are counted as inserted; the next item takes the place of the oldest."""
    with replay_server(tmp_path) as before:
        before.insert(range(20))
        before.store(train_step=5)
    with replay_server(tmp_path, max_size=8) as after:
        assert after.info().current_size == 8
        assert after.numbers() == set(range(12, 20))
        assert after.info().rate_limiter_info.insert_stats.completed == 20
        after.insert([100])
        assert after.numbers() == {*range(13, 20), 100}
        after.store(train_step=6)
    with replay_server(tmp_path, max_size=8) as again:
        assert again.numbers() == {*range(13, 20), 100}


def test_a_table_that_has_dropped_items_comes_back(tmp_path: Path) -> None:
    """As does one that was full."""
    with replay_server(tmp_path, max_size=10) as before:
        before.insert(range(25))
        before.store(train_step=5)
    with replay_server(tmp_path, max_size=10) as after:
        assert after.numbers() == set(range(15, 25))
        assert after.info().rate_limiter_info.insert_stats.completed == 25


def test_other_tables_are_empty(tmp_path: Path) -> None:
    """Their rows were for the server that died."""
    with replay_server(tmp_path) as before:
        before.insert(range(5))
        before.client.insert(b"row", {tables.TELEMETRY: 1.0})
        before.store(train_step=5)
    with replay_server(tmp_path) as after:
        assert after.info().current_size == 5
        assert after.info(tables.TELEMETRY).current_size == 0
        assert after.info(tables.TELEMETRY).signature is not None
        after.client.insert(b"new", {tables.TELEMETRY: 1.0})
        [sample] = after.client.sample(tables.TELEMETRY, 1, emit_timesteps=False)
        assert sample.data[0].item() == b"new"


def test_items_of_another_shape_are_refused_with_both(tmp_path: Path) -> None:
    """And the snapshot stays, for whoever takes the change back."""
    with replay_server(tmp_path) as before:
        before.insert(range(5))
        before.store(train_step=5)
    other = pytest.raises(ConfigurationError, match="stored replay table holds")
    with other as raised, replay_server(tmp_path, width=4):
        pass
    message = str(raised.value)
    assert "shape=(3,)" in message
    assert "shape=(4,)" in message
    assert "--discard_replay" in message
    assert "\n" not in message
    with replay_server(tmp_path) as after:
        assert after.info().current_size == 5


def cut(path: Path) -> None:
    """Loses the second half of a file, though its size is that of before."""
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size // 2])
    os.truncate(path, size)


def flip(path: Path) -> None:
    """Changes one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip])
@pytest.mark.parametrize("name", ["chunks", "items", "tables"])
def test_a_damaged_snapshot_gives_way_to_the_one_before(
    name: str,
    damage: Callable[[Path], None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its content is checked, not only how long its files are."""
    with replay_server(tmp_path) as before:
        before.insert(range(10))
        older = before.store(train_step=5)
        before.insert(range(10, 20))
        newer = before.store(train_step=6)
        damage(before.snapshots.folder(newer) / f"{name}.tfrecord")
    with replay_server(tmp_path) as after:
        assert after.restored == older
        assert after.numbers() == set(range(10))
        assert list(after.snapshots.working.iterdir()) == []
        after.insert([42])
    assert "snapshot of train step 6 cannot be restored" in caplog.text


def test_nothing_is_restored_if_all_are_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The server runs, with an empty table; both are named."""
    with replay_server(tmp_path) as before:
        for step in (5, 6):
            before.insert(range(10))
            stored = before.store(train_step=step)
            cut(before.snapshots.folder(stored) / "chunks.tfrecord")
    with replay_server(tmp_path) as after:
        assert after.restored is None
        assert after.info().current_size == 0
        after.insert(range(3))
        assert after.numbers() == {0, 1, 2}
    assert "train step 6 cannot be restored" in caplog.text
    assert "train step 5 cannot be restored" in caplog.text


def test_what_is_stored_after_a_restore_is_kept(tmp_path: Path) -> None:
    """Reverb keeps the newest by name, and would delete what it has just written."""
    with replay_server(tmp_path) as before:
        before.insert(range(4))
        before.store(train_step=1)
    for start in range(3):
        with replay_server(tmp_path) as after:
            assert after.info().current_size == 4 + 2 * start
            after.insert([100 + start])
            path = Path(after.client.checkpoint())
            assert (path / "DONE").exists()
            after.snapshots.keep(path, 10 + 2 * start, 0)
            after.insert([200 + start])
            after.store(train_step=11 + 2 * start)
    newest = ReplaySnapshots(tmp_path).newest_first()
    assert [snapshot.train_step for snapshot in newest] == [15, 14]


def test_what_is_stored_of_an_earlier_train_step_replaces_the_later(
    tmp_path: Path,
) -> None:
    """The learner went back: what it has left is not to be restored any more."""
    with replay_server(tmp_path) as server:
        for train_step in (40, 50, 10):
            server.insert(range(2))
            server.store(train_step)
        newest = server.snapshots.newest_first()
    assert [snapshot.train_step for snapshot in newest] == [10]


@pytest.mark.parametrize("path", ["/tmp", "../snapshots", "x/y"])
@pytest.mark.parametrize("train_step", [-1, "1", None, 7])
def test_only_what_reverb_has_written_there_is_taken(
    path: str, train_step: object, tmp_path: Path
) -> None:
    """Its path comes over the network."""
    with replay_server(tmp_path) as server:
        place = server.snapshots.working / path
        with pytest.raises(OSError, match=r"no checkpoint of this|no train step"):
            server.snapshots.keep(place, train_step, 0)  # type: ignore[arg-type]


def test_a_snapshot_is_not_changed_by_being_restored(tmp_path: Path) -> None:
    """It may be needed once more."""
    with replay_server(tmp_path) as before:
        before.insert(range(4))
        stored = before.store(train_step=1)
        folder = before.snapshots.folder(stored)
    content = {path.name: path.read_bytes() for path in folder.iterdir()}
    for _ in range(2):
        with replay_server(tmp_path) as after:
            assert after.restored == stored
            after.insert(range(50))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == content


def test_a_snapshot_without_the_table_is_damaged(tmp_path: Path) -> None:
    """It holds nothing that could be restored."""
    with replay_server(tmp_path) as before:
        folder = before.snapshots.folder(before.store(train_step=1))
        working = before.snapshots.working
        replay_restore._write(folder / "tables.tfrecord", iter([]))
        [table, _] = before.settings.tables()
        with pytest.raises(replay_restore.DamagedSnapshotError, match="'replay'"):
            replay_restore.make_checkpoint(folder, working, table)
