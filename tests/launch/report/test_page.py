"""launch/report/page.py: one file, of one run or of several, from any folder."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from plotly import offline

from launch.report import page
from tests.launch.report import a_folder

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def written(*folders: Path) -> str:
    """The report of these runs, without the library that draws it."""
    output = folders[0] / "report.html"
    page.write(folders, output)
    text = output.read_text(encoding="utf-8")
    assert text.count(offline.get_plotlyjs()) == 1
    return text.replace(offline.get_plotlyjs(), "")


def figures(text: str) -> dict[str, Any]:
    """What is drawn."""
    [data] = re.findall(
        r'<script type="application/json" id="figures">(.*?)</script>', text, re.DOTALL
    )
    found: dict[str, Any] = json.loads(data)
    return found


def test_the_report_has_all_parts(tmp_path: Path) -> None:
    a_folder.finish(a_folder.make(tmp_path))
    text = written(tmp_path)
    assert set(figures(text)) == {"train_step", "env_steps", "wall_time_s", "time"}
    for part in (
        "target reached",
        "What holds it back?",
        "actor-1 was ended by SIGKILL",
        "Train.max_train_steps = 5000",
        "--num_actors=2 --seed=3",
        "0123456789ab",
    ):
        assert part in text, part


def test_the_configuration_is_in_the_page_as_a_file(tmp_path: Path) -> None:
    """What `--gin_file` takes to make such a run: bindings that are used or not."""
    [link] = re.findall(
        r'download="run.gin" href="([^"]*)"', written(a_folder.make(tmp_path))
    )
    kind, _, content = link.partition(",")
    assert kind == "data:text/plain;base64"
    assert base64.b64decode(content).decode() == a_folder.MANIFEST.gin_text


def test_text_from_files_is_no_markup(tmp_path: Path) -> None:
    """Of the manifest, the configuration, figures, faults, or a folder's name."""
    machine = {"commit": EVIL, "host": EVIL, "python": EVIL}
    folder = a_folder.make(
        tmp_path / "<b>run", gin_file=EVIL, gin_text=f"a.b = '{EVIL}'", machine=machine
    )
    rows = [
        a_folder.row("actor", 1, host=EVIL),
        a_folder.row("reverb_server", 2, stall=EVIL, env_steps_per_s=1.0),
        a_folder.row("run", 3, status=EVIL, train_step=1),
    ]
    a_folder.write_metrics(folder, rows)
    (folder / "config.gin").write_text(EVIL)
    other = a_folder.make(tmp_path / "other", run_id="2", num_actors=1, gin_text=EVIL)
    for text in (written(folder), written(other, folder)):
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "<b>run" not in text
        assert "&lt;script&gt;alert" in text
    for trace in figures(written(folder))["time"]["data"]:
        assert "<script" not in json.dumps(trace)


def test_nothing_is_fetched(tmp_path: Path) -> None:
    """No address but in what is only text; and the browser is told so."""
    text = written(a_folder.make(tmp_path))
    assert "default-src 'none'" in text
    assert not re.search(r"""(src|href)=["'](?!data:)""", text)
    assert "http" not in text.replace("http-equiv", "")


def test_videos_are_in_the_page_unless_they_are_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = a_folder.make(tmp_path) / "videos"
    videos.mkdir()
    (videos / "trained.mp4").write_bytes(b"small")
    (videos / "random.mp4").write_bytes(b"larger than that")
    monkeypatch.setattr("launch.report.videos._MOST_BYTES", 10)
    text = written(tmp_path)
    assert re.findall(r'<video .* src="(.*?)"', text) == [
        f"data:video/mp4;base64,{base64.b64encode(b'small').decode()}"
    ]
    assert "see videos/random.mp4" in text


def test_videos_on_the_way_are_in_the_page_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If not all fit, the newest is among those that do, and the reader is told."""
    videos = a_folder.make(tmp_path) / "videos"
    videos.mkdir()
    for step in (500, 10_000, 1_500, 1_000):
        (videos / f"train_step_{step}.mp4").write_bytes(b"123456789")
    (videos / "train_step_.mp4").touch()
    captions = ["train step 500", "train step 1,000", "train step 1,500"]
    captions.append("train step 10,000")
    assert re.findall("<figcaption>(.*)</figc", text := written(tmp_path)) == captions
    assert "others are in videos/" not in text
    monkeypatch.setattr("launch.report.videos._MOST_BYTES", 20)
    text = written(tmp_path)
    assert re.findall("<figcaption>(.*)</figc", text) == [captions[0], captions[3]]
    assert "2 of 4 videos" in text
    monkeypatch.setattr("launch.report.videos._MOST_BYTES", 10)
    assert re.findall("<figcaption>(.*)</figc", written(tmp_path)) == [captions[3]]
    monkeypatch.setattr("launch.report.videos._MOST_BYTES", 5)
    assert "0 of 4 videos" in written(tmp_path)


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"environment_failures": 1_234}, "1,234"),
        ({"environment_stalled_s": 12}, "problem: actor-0: an environment has not"),
        ({"env_steps": 5}, "Nothing failed, and nothing stood still."),
    ],
)
def test_trouble_with_environments_is_told(
    tmp_path: Path, figures: dict[str, Any], told: str
) -> None:
    """And only then it is not said that nothing failed."""
    a_folder.write_metrics(
        a_folder.make(tmp_path), [a_folder.row("actor", 1, **figures)]
    )
    (tmp_path / "faults.jsonl").unlink()
    text = written(tmp_path)
    assert told in text
    assert ("Nothing failed" in text) == ("env_steps" in figures)
    assert ("environments made anew" in text) == ("environment_failures" in figures)


def test_a_run_that_has_just_begun_has_a_page(tmp_path: Path) -> None:
    """With nothing but its manifest."""
    (tmp_path / "run.json").write_text(a_folder.MANIFEST.to_json())
    text = written(tmp_path)
    assert figures(text) == {}
    assert "No evaluation yet." in text
    assert "No figures: " in text
    assert "Nothing failed" in text


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    """Names are bytes; these are none of UTF-8."""
    text = written(a_folder.make(tmp_path / os.fsdecode(b"run_\xff")))
    assert "/run_?" in text


def test_several_runs_are_side_by_side(tmp_path: Path) -> None:
    folders = [
        a_folder.make(tmp_path / f"seed_{n}", seed=n, run_id=f"{n}") for n in range(3)
    ]
    folders.append(a_folder.make(tmp_path / "unborn", []))
    text = written(*folders)
    assert set(figures(text)) == {"train_step", "env_steps", "wall_time_s"}
    assert "4 runs side by side" in text
    assert all(folder.name in text for folder in folders)


def test_several_runs_that_were_not_judged_have_a_page(tmp_path: Path) -> None:
    folders = [a_folder.make(tmp_path / name, [], run_id=name) for name in "ab"]
    assert figures(written(*folders)) == {}


def test_days_of_many_actors_make_a_small_page(tmp_path: Path) -> None:
    """Some 40 MB of figures; the page has no more points than that of an hour."""
    a_folder.make(tmp_path, [a_folder.evaluation(n, 1.0, n) for n in range(2_000)])
    block = [json.dumps(row) for row in a_folder.round_of_rows(0, actors=64)]
    with (tmp_path / "metrics.jsonl").open("w") as file:
        for number in range(4_000):
            time = f'"time": {a_folder.STARTED_AT + 60 * number}'
            block_text = "\n".join(block).replace(
                f'"time": {a_folder.STARTED_AT}', time
            )
            file.write(block_text + "\n")
    assert (tmp_path / "metrics.jsonl").stat().st_size > 16 * 2**20
    text = written(tmp_path)
    assert len(text) < 1_500_000
    assert "1,000 of 2,000 evaluations are drawn" in text
    assert "only evenly spread pieces of it" in text
    span = figures(text)["time"]["layout"]["xaxis"]["range"]
    assert span == [0, 60_000 * 3_999]


def test_no_tensorflow_is_needed(tmp_path: Path) -> None:
    """The launcher makes the report, and must not import it."""
    code = (
        "import sys; from launch.report import page; "
        "sys.exit(str({'tensorflow', 'reverb', 'matplotlib'} & sys.modules.keys()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.stderr.strip() == "set()"
