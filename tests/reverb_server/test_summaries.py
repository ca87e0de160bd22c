"""reverb_server/summaries.py: what TensorBoard reads back."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from experiment import run_dir
from reverb_server import figures
from reverb_server.metrics_log import MetricsLog
from reverb_server.summaries import MAX_ACTORS, Summaries

TRAIN, ENV = figures.AXES.values()
CONFIG = "# Comment\nReplay.batch_size = 16\n\nq_network.layers = (8, 8)\n"


def learner(train_step: int) -> dict[str, Any]:
    """A row of the learner."""
    return {"role": "learner", "task": 0, "time": 9.0, "train_step": train_step}


def server(train_step: int, env_steps: int, **further: Any) -> dict[str, Any]:
    """A row of the server, with how far the run has come on both axes."""
    steps = {"train_step": train_step, "env_steps": env_steps}
    return {"role": "reverb_server", "task": 0, "time": 10.0, **steps, **further}


def actor(task: int, **further: Any) -> dict[str, Any]:
    """A row of an actor."""
    return {"role": "actor", "task": task, "time": 11.0, "host": "a", **further}


def curves(root_dir: Path, process: str) -> dict[str, list[tuple[int, float]]]:
    """Step and value of each point that TensorBoard has of a process."""
    folder = root_dir / run_dir.TELEMETRY_DIR / process
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(point.step, point.value) for point in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


@pytest.fixture
def summaries(tmp_path: Path) -> Summaries:
    """Of a run that has just begun."""
    return Summaries(tmp_path, CONFIG)


def test_each_number_is_drawn_over_both_axes(
    summaries: Summaries, tmp_path: Path
) -> None:
    """At the steps that the server knew; words are not drawn."""
    summaries.write([actor(0, episodes=1, problem="none")])
    row = actor(0, episodes=2, average_return=-1.5, policy_train_step=90)
    summaries.write([row, learner(100), server(100, 4_000, stall="the learner waits")])
    assert curves(tmp_path, "actor-0") == {
        f"{TRAIN}/episodes": [(0, 1), (100, 2)],
        f"{ENV}/episodes": [(0, 1), (4_000, 2)],
        f"{TRAIN}/average_return": [(100, -1.5)],
        f"{ENV}/average_return": [(4_000, -1.5)],
        f"{TRAIN}/policy_train_step": [(100, 90)],
        f"{ENV}/policy_train_step": [(4_000, 90)],
    }
    assert curves(tmp_path, "reverb_server") == {
        f"{TRAIN}/train_step": [(100, 100)],
        f"{ENV}/train_step": [(4_000, 100)],
        f"{TRAIN}/env_steps": [(100, 4_000)],
        f"{ENV}/env_steps": [(4_000, 4_000)],
    }


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "12", [1]])
def test_what_is_no_number_leaves_no_point(
    value: object, summaries: Summaries, tmp_path: Path
) -> None:
    """The others of its row do."""
    summaries.write([actor(0, average_return=value, episodes=3)])
    assert set(curves(tmp_path, "actor-0")) == {f"{TRAIN}/episodes", f"{ENV}/episodes"}


def test_the_configuration_is_shown_as_it_is(
    summaries: Summaries, tmp_path: Path
) -> None:
    """As a text, which is Markdown; once."""
    folder = tmp_path / run_dir.TELEMETRY_DIR / "reverb_server"
    events = EventAccumulator(str(folder)).Reload()
    [event] = events.Tensors(run_dir.CONFIG)
    plugin = events.SummaryMetadata(run_dir.CONFIG).plugin_data.plugin_name
    [text] = event.tensor_proto.string_val
    assert plugin == "text"
    lines = text.decode().splitlines()
    assert all(line.startswith("    ") for line in lines if line)
    assert [line[4:] for line in lines] == CONFIG.splitlines()


def test_a_server_that_comes_back_goes_on_with_the_curves(
    summaries: Summaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a file of its own, where they were until the learner says that it went back.

    TensorBoard would drop all points beyond train step 0.
    """
    for steps in (100, 200):
        rows = [learner(steps), server(steps, 10 * steps)]
        MetricsLog(tmp_path).write(rows)
        summaries.write(rows)
    monkeypatch.setattr("os.getpid", lambda: 1)
    again = Summaries(tmp_path, CONFIG)
    again.write([server(200, 2_000)])
    again.write([learner(150), server(150, 2_100)])
    points = curves(tmp_path, "reverb_server")[f"{TRAIN}/env_steps"]
    assert sorted(points) == [(100, 1_000), (150, 2_100), (200, 2_000), (200, 2_000)]
    files = list((tmp_path / run_dir.TELEMETRY_DIR / "reverb_server").iterdir())
    assert len(files) == 2


def test_the_first_of_many_actors_are_drawn(
    summaries: Summaries, tmp_path: Path
) -> None:
    """And nothing of a role or an actor that there is not."""
    rows = [actor(task, episodes=task) for task in range(500)]
    foreign = {"role": "../../elsewhere", "task": 0, "time": 1.0, "episodes": 1}
    summaries.write([*rows, foreign, actor(-1), {**actor(0), "task": "../x"}])
    drawn = {path.name for path in (tmp_path / run_dir.TELEMETRY_DIR).iterdir()}
    assert drawn == {"reverb_server", *(f"actor-{task}" for task in range(MAX_ACTORS))}
    assert curves(tmp_path, "actor-7")[f"{TRAIN}/episodes"] == [(0, 7)]


def test_a_long_run_draws_no_more_points_than_can_be_seen(
    summaries: Summaries, tmp_path: Path
) -> None:
    """After an hour, one of each process in 3.6 s."""
    summaries._started_at -= 3_600
    for episodes in range(3):
        summaries.write([actor(0, episodes=episodes), actor(1, episodes=episodes)])
    assert curves(tmp_path, "actor-0")[f"{TRAIN}/episodes"] == [(0, 0)]
    summaries._written_at["actor-1"] -= 4
    summaries.write([actor(0, episodes=9), actor(1, episodes=9)])
    assert curves(tmp_path, "actor-0")[f"{TRAIN}/episodes"] == [(0, 0)]
    assert curves(tmp_path, "actor-1")[f"{TRAIN}/episodes"] == [(0, 0), (0, 9)]


@pytest.fixture
def no_space(tmp_path: Path) -> Iterator[None]:
    """No file of this process may grow beyond 600 bytes, as if the disk were full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_costs_points_only(
    no_space: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that were written, and those that come when there is space, can be read."""
    summaries = Summaries(tmp_path, CONFIG)
    for number in range(10):
        summaries.write([actor(0, episodes=number), server(0, number)])
    assert "a point of the curves of actor-0 is lost" in caplog.text
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    summaries.write([actor(0, episodes=10), server(0, 10)])
    points = curves(tmp_path, "actor-0")[f"{ENV}/episodes"]
    values = [value for _, value in points]
    assert values == [*range(len(values) - 1), 10]
    assert 1 < len(values) < 10
