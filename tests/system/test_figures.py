"""The figures of a run: in the file, in TensorBoard, in Prometheus; all read back."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pandas
import portpicker
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

from experiment import run_dir
from reverb_server import figures
from reverb_server.metrics_endpoint import exported, metric_name
from tests.docs.markdown import ROOT, blocks
from tests.system.commands import CHECKOUT, TIMEOUT_S, Command

# By what names Prometheus gets all figures.
_METRICS = {
    metric_name(role, figure) for role in figures.PROCESSES for figure in exported(role)
}


def _scraped(port: int) -> str:
    """What Prometheus would read just now; empty if nobody, or another, answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            return str(answer.read().decode())
    except OSError:  # Of urllib, or of a server that does not speak HTTP.
        return ""


def _values(text: str) -> dict[str, list[float]]:
    """The values of a scrape, by the names of the samples."""
    found: dict[str, list[float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.value)
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run with one actor, and with the last scrape of it."""
    folder = tmp_path_factory.mktemp("finished")
    port = portpicker.pick_unused_port()
    command = Command(
        [
            sys.executable,
            str(CHECKOUT / "launch" / "run_module.py"),
            "launch",
            "--root_dir=runs/one",
            "--num_actors=1",
            f"--metrics_port={port}",
            # Some seconds, on a fast machine too.
            "--max_train_steps=8000",
            "--gin_bindings=Train.steps_per_call = 1",
            "--target_return=1000",
            "--gin_bindings=gym_environment.max_episode_steps = 50",  # Short videos.
        ],
        folder,
    )

    def is_scraped() -> bool:
        """Whether a scrape has all figures: the whole run is at work."""
        text = _scraped(port)
        (folder / "scrape.txt").write_text(text)
        return set(_values(text)) > _METRICS

    try:
        command.wait_until(is_scraped, timeout_s=TIMEOUT_S)
        assert command.wait() == 0, command.output
        assert _scraped(port) == ""
        command.assert_nothing_is_left()
    finally:
        command.kill()
    return folder


def _rows(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "runs" / "latest" / run_dir.METRICS).read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_rows_have_the_figures_that_are_listed_and_no_others(finished: Path) -> None:
    rows = _rows(finished)
    for role in (*figures.PROCESSES, figures.RUN):
        listed = {each.name for each in figures.FIGURES if role in each.roles}
        listed -= {"shard_env_steps", "lost_shards"}  # There is one server.
        assert {name for row in rows if row["role"] == role for name in row} == listed


def test_tensorboard_has_all_numbers_of_each_process(finished: Path) -> None:
    runs = EventMultiplexer().AddRunsFromDirectory(str(finished / "runs" / "latest"))
    runs.Reload()
    folders = {role: f"telemetry/{role}" for role in figures.PROCESSES}
    folders[figures.ACTOR] += "-0"
    for role, folder in folders.items():
        drawn = runs.GetAccumulator(folder).Tags()["scalars"]
        for figure in figures.numbers(role):
            for group in figures.AXES.values():
                assert f"{group}/{figure.name}" in drawn
    points = runs.Scalars(folders[figures.LEARNER], "Metrics_vs_TrainSteps/loss")
    assert points[-1].step > points[0].step
    others = {run: runs.GetAccumulator(run).Tags()["tensors"] for run in runs.Runs()}
    assert run_dir.CONFIG in others[folders[figures.SERVER]]
    assert {"Losses/loss", "PolicyLag/gradient_steps"} <= set(others["train"])
    assert {"videos/trained", "videos/random"} <= set(others["eval"])


def test_one_scrape_has_the_newest_figures_of_all_processes(finished: Path) -> None:
    found = _values((finished / "scrape.txt").read_text())
    assert set(found) == {"antiphon_run_info", *_METRICS}
    assert all(len(values) == 1 for values in found.values())
    rows = _rows(finished)
    [value] = found["antiphon_learner_loss"]
    assert value in [row.get("loss") for row in rows if row["role"] == "learner"]
    [value] = found["antiphon_eval_job_target_return"]
    assert value == 1_000


def test_pandas_reads_the_rows_as_documented(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(finished)
    [code] = blocks((ROOT / "docs" / "metrics.md").read_text(), "python")
    names: dict[str, Any] = {}
    exec(compile(code, "metrics.md", "exec"), names)
    assert len(names["rows"]) == len(_rows(finished))
    assert names["rows"]["time"].max() <= pandas.Timestamp.now("UTC").tz_localize(None)
    assert "updates_per_s" in capsys.readouterr().out
