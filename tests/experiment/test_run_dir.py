"""experiment/run_dir.py: who may use a folder, and how files come into it."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from experiment import run_dir
from experiment.errors import ConfigurationError
from tests.launch.a_run import MANIFEST

ROOT = Path(__file__).parents[2]


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A folder that holds a run."""
    folder = tmp_path / "used"
    folder.mkdir()
    (folder / run_dir.MANIFEST).write_text(MANIFEST.to_json())
    return folder


def test_a_fresh_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    """And left empty: the check that it can be written leaves nothing."""
    folder = run_dir.claim(tmp_path / "a" / "b c", resume=False)
    assert folder == tmp_path / "a" / "b c"
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_there_may_be_used(tmp_path: Path) -> None:
    """With files in it too, as long as they are no run's."""
    (tmp_path / "notes.txt").touch()
    assert run_dir.claim(tmp_path, resume=False) == tmp_path


def test_the_path_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher's children may live in another folder; ~ is the user's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert run_dir.claim(Path("runs/x"), resume=False) == tmp_path / "runs" / "x"
    assert run_dir.claim(Path("~/x"), resume=False) == tmp_path / "home" / "x"


def test_the_place_of_the_link_to_the_newest_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="where the link to the newest run"):
        run_dir.claim(Path("runs/latest"), resume=False)
    assert not list(tmp_path.iterdir())


def test_the_folder_of_another_run_is_refused(used: Path) -> None:
    """The message names the run, and the flag that would go on with it."""
    taken = f"holds the run {MANIFEST.run_id} already"
    with pytest.raises(ConfigurationError, match=taken) as raised:
        run_dir.claim(used, resume=False)
    assert str(used) in str(raised.value)
    assert "--resume" in str(raised.value)


def test_a_run_is_gone_on_with_in_its_folder(used: Path) -> None:
    """What it holds stays as it is."""
    assert run_dir.claim(used, resume=True) == used
    assert run_dir.read_manifest(used) == MANIFEST
    assert [path.name for path in used.iterdir()] == [run_dir.MANIFEST]


@pytest.mark.parametrize("text", ["", "{}", '{"run_id": "x", "nope": 1}', "\udcff"])
def test_a_run_of_another_version_is_refused(used: Path, text: str) -> None:
    """Nobody knows what its folder means."""
    path = used / run_dir.MANIFEST
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError, match="is not the manifest") as raised:
        run_dir.read_manifest(used)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_newest_row_of_a_role_is_found_in_the_metrics(tmp_path: Path) -> None:
    """Among those of others, and a line that a crash has cut off."""
    assert run_dir.last_row(tmp_path, "actor") == {}
    rows = [{"role": "actor", "n": 1}, {"role": "actor", "n": 2}, {"role": "learner"}]
    text = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / run_dir.METRICS).write_text(text + '\n{"role": "actor", "n"')
    assert run_dir.last_row(tmp_path, "actor") == rows[1]
    assert run_dir.last_row(tmp_path, "eval_job") == {}


def test_a_run_was_heard_of_last_when_it_sent_figures(used: Path) -> None:
    """Or else when it was started."""
    os.utime(used / run_dir.MANIFEST, (1_000, 1_000))
    assert run_dir.last_heard(used) == 1_000
    (used / run_dir.METRICS).touch()
    os.utime(used / run_dir.METRICS, (1_500, 1_500))
    assert run_dir.last_heard(used) == 1_500


def test_there_has_to_be_a_run_to_go_on_with(tmp_path: Path) -> None:
    """A mistyped folder does not start a run anew in silence."""
    with pytest.raises(ConfigurationError, match="holds no run"):
        run_dir.claim(tmp_path / "typo", resume=True)


def test_the_folder_of_a_running_run_is_not_shared(tmp_path: Path) -> None:
    """Two learners would write the same checkpoints."""
    held = run_dir.lock(tmp_path)
    with pytest.raises(ConfigurationError, match="still going"):
        run_dir.lock(tmp_path)
    os.close(held)
    os.close(run_dir.lock(tmp_path))


def test_a_run_waits_until_a_reader_has_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the folder is in use: that takes an instant."""
    reader = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _: os.close(reader))
    os.close(run_dir.lock(tmp_path))


def test_readers_do_not_take_each_other_for_a_run(tmp_path: Path) -> None:
    reader = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_SH)
    assert not run_dir.is_in_use(tmp_path)
    os.close(reader)
    held = run_dir.lock(tmp_path)
    assert run_dir.is_in_use(tmp_path)
    os.close(held)


def test_the_folder_of_a_run_that_was_killed_is_free(tmp_path: Path) -> None:
    """The lock needs nobody to take it off."""
    script = f"""
import pathlib, signal
from experiment import run_dir
held = run_dir.lock(pathlib.Path({str(tmp_path)!r}))
print("held", flush=True)
signal.pause()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigurationError, match="still going"):
            run_dir.lock(tmp_path)
        holder.kill()
    os.close(run_dir.lock(tmp_path))


@pytest.mark.parametrize("below", ["file", "file/x/y"])
def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path: Path, below: str) -> None:
    """A file, and what would lie below one; the system's reason is given."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be written") as raised:
        run_dir.claim(tmp_path / below, resume=False)
    assert str(tmp_path / below) in str(raised.value)
    assert "File exists" in str(raised.value) or "Not a dir" in str(raised.value)


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(ConfigurationError, match=f"{loop} cannot be used .*oop"):
        run_dir.claim(loop, resume=False)


def test_a_file_system_that_takes_no_files_is_refused() -> None:
    """Even root cannot write there, whatever the permission bits say."""
    with pytest.raises(ConfigurationError, match="--root_dir /proc/"):
        run_dir.claim(Path("/proc/antiphon"), resume=False)
    with pytest.raises(ConfigurationError, match=r"--root_dir /proc/\d+ cannot be"):
        run_dir.claim(Path("/proc/self"), resume=False)


def test_new_folders_of_one_second_do_not_collide(tmp_path: Path) -> None:
    """Two runs may be started at once."""
    script = f"""
import pathlib
from experiment import run_dir
for _ in range(20):
    print(run_dir.new_root_dir(pathlib.Path({str(tmp_path)!r})))
"""
    several = [
        subprocess.Popen(
            [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    made = [path for one in several for path in one.communicate(timeout=60)[0].split()]
    assert len(made) == 80
    assert set(made) == {str(path) for path in tmp_path.iterdir()}


def test_latest_points_to_the_newest_run(tmp_path: Path) -> None:
    """Relative, so that the folder of all runs can be moved."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        run_dir.point_latest(tmp_path / name)
        link = tmp_path / run_dir.LATEST
        assert link.resolve() == tmp_path / name
        assert link.readlink() == Path(name)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["first", run_dir.LATEST, "second"]


def test_a_text_is_written_with_its_folders(tmp_path: Path) -> None:
    """Again and again; nothing else is left behind."""
    path = tmp_path / "eval" / "x.json"
    for text in ("one", "2"):
        run_dir.write_text(path, text)
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_a_reader_never_sees_half_a_text(tmp_path: Path) -> None:
    """Each text is of one letter, 1 MB long, and read while it is replaced."""
    path, texts = tmp_path / "x", [letter * 2**20 for letter in "ab"]
    run_dir.write_text(path, texts[0])
    done = threading.Event()

    def write() -> None:
        for number in range(40):
            run_dir.write_text(path, texts[number % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    read = []
    while not done.is_set():
        read.append(path.read_text())
    writer.join()
    assert read
    assert all(text in texts for text in read)


def test_a_text_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """Here it cannot be encoded; a full disk ends the same way."""
    path = tmp_path / "x"
    run_dir.write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        run_dir.write_text(path, "new \ud800")
    assert path.read_text() == "old"


def test_what_does_not_fit_is_not_appended_in_part(tmp_path: Path) -> None:
    """A limit on the size of files ends as a full disk does: with half of a text."""
    path = tmp_path / "rows"
    run_dir.append_text(path, "first\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            run_dir.append_text(path, "second\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "first\n"
    run_dir.append_text(path, "third\n")
    assert path.read_text() == "first\nthird\n"


def test_a_line_that_was_cut_off_is_ended(tmp_path: Path) -> None:
    """By a kill in the midst of it; the next one stands alone."""
    path = tmp_path / "rows"
    path.write_text("first\nsec")
    run_dir.append_text(path, "third\n")
    assert path.read_text() == "first\nsec\nthird\n"
