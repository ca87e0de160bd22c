"""reverb_server/metrics_endpoint.py: what Prometheus' own parser makes of a scrape."""

from __future__ import annotations

import contextlib
import itertools
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import portpicker
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from experiment import definition
from experiment.errors import ConfigurationError
from reverb_server import figures, metrics_endpoint
from reverb_server.metrics_endpoint import MetricsEndpoint
from reverb_server.server import RunServer
from reverb_server.telemetry import TelemetrySender
from tests.reverb_server.run_for_tests import GIN_TEXT, manifest

HOST = "127.0.0.1"


def scrape(port: int) -> dict[str, list[Sample]]:
    """What Prometheus finds, by the names of the samples."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=20) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    found: dict[str, list[Sample]] = {}
    for family in families:
        for sample in family.samples:
            assert family.documentation
            found.setdefault(sample.name, []).append(sample)
    return found


def value(port: int, name: str) -> float | None:
    """Of the one sample with this name; None if there is none."""
    samples = scrape(port).get(name, [])
    assert len(samples) < 2
    return samples[0].value if samples else None


def row(role: str, task: int = 0, **further: Any) -> dict[str, Any]:
    """A row of a process."""
    return {"role": role, "task": task, "host": "a", "time": 1_700_000_000.5, **further}


@pytest.fixture
def port() -> int:
    """A free one."""
    return int(portpicker.pick_unused_port())


@pytest.fixture
def endpoint(port: int, tmp_path: Path) -> Iterator[MetricsEndpoint]:
    """Of a run that has just begun."""
    made = MetricsEndpoint(HOST, port, manifest(tmp_path))
    yield made
    made.close()


def test_one_scrape_shows_the_whole_run(port: int, tmp_path: Path) -> None:
    """Rows that were sent to a real server."""
    run = RunServer(
        definition.load_text(GIN_TEXT),
        manifest(tmp_path),
        portpicker.pick_unused_port(),
        metrics_address=(HOST, port),
    )
    for task in range(2):
        TelemetrySender(run.client, "actor", task).send({"env_steps": 10 + task})
    TelemetrySender(run.client, "learner", 0).send({"train_step": 7, "loss": 0.5})
    answers = itertools.chain([False], itertools.repeat(True))
    run.serve(lambda seconds: next(answers), is_supervised=True)
    found = scrape(port)
    run.stop()
    steps = {
        (each.labels["task"], each.value)
        for each in found["antiphon_actor_env_steps_total"]
    }
    assert steps == {("0", 10), ("1", 11)}
    assert [each.value for each in found["antiphon_learner_loss"]] == [0.5]
    [train_step] = found["antiphon_reverb_server_train_step"]
    assert train_step.value == 7
    [info] = found["antiphon_run_info"]
    assert info.value == 1
    assert info.labels == {
        "run_id": run.manifest.run_id,
        "gin_file": "test.gin",
        "seed": "0",
    }
    [num_actors] = found["antiphon_reverb_server_num_actors"]
    assert num_actors.value == 1
    with pytest.raises(urllib.error.URLError):
        scrape(port)


def test_units_are_those_that_prometheus_wants(
    endpoint: MetricsEndpoint, port: int
) -> None:
    """Bytes, seconds, cores; counters end with total."""
    told = {
        "memory_mb": 3,
        "cpu_percent": 150.0,
        "waited_s": 2.5,
        "episodes": 4,
        "env_steps_per_s": 9.5,
        "environment_stalled_s": 12,
    }
    endpoint.write([{**row("actor"), **told}])
    found = {
        name.removeprefix("antiphon_actor_"): samples[0].value
        for name, samples in scrape(port).items()
        if name != "antiphon_run_info"
    }
    assert found == {
        "time_seconds": 1_700_000_000.5,
        "memory_bytes": 3 * 2**20,
        "cpu_cores": 1.5,
        "waited_seconds_total": 2.5,
        "episodes_total": 4,
        "env_steps_per_second": 9.5,
        "environment_stalled_seconds": 12,
    }


def test_the_newest_row_counts_and_unknown_figures_are_left_out(
    endpoint: MetricsEndpoint, port: int
) -> None:
    """A row about a snapshot has no figures, and replaces none."""
    name = "antiphon_learner_policy_lag"
    endpoint.write([row("learner", policy_lag=5.0)])
    endpoint.write([row("learner", snapshot={"path": None})])
    assert value(port, name) == 5
    endpoint.write([row("learner", policy_lag=6.0), row("learner", policy_lag=7.0)])
    assert value(port, name) == 7
    endpoint.write([row("learner", policy_lag=None)])
    assert value(port, name) is None


def test_an_alarm_is_one_while_something_is_wrong(
    endpoint: MetricsEndpoint, port: int
) -> None:
    """Its words are in the rows."""
    for stall, shown in ((None, 0), ("the learner waits", 1), (None, 0)):
        endpoint.write([row("reverb_server", stall=stall)])
        assert value(port, "antiphon_reverb_server_stall") == shown


def test_who_has_left_or_is_silent_is_not_there_any_more(
    endpoint: MetricsEndpoint, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are; so are those that come again."""

    def tasks() -> list[str]:
        samples = scrape(port).get("antiphon_actor_time_seconds", [])
        return sorted(sample.labels["task"] for sample in samples)

    endpoint.write([row("actor", task) for task in range(3)])
    endpoint.write([row("actor", 1, has_left=True)])
    assert tasks() == ["0", "2"]
    monkeypatch.setattr(metrics_endpoint, "_SILENCE_S", 0.0)
    endpoint.write([])
    assert tasks() == []
    monkeypatch.undo()
    endpoint.write([row("actor", 2)])
    assert tasks() == ["2"]


def test_a_server_that_is_started_again_serves_at_the_same_port(
    port: int, tmp_path: Path
) -> None:
    """At once, although connections of the former one may linger."""
    for _ in range(3):
        with contextlib.closing(MetricsEndpoint(HOST, port, manifest(tmp_path))):
            assert value(port, "antiphon_run_info") == 1


def test_a_port_in_use_is_refused_in_one_line(
    endpoint: MetricsEndpoint, port: int, tmp_path: Path
) -> None:
    """Nobody would find the figures."""
    said = f"--metrics_port {port} at {HOST} is in use by another process"
    with pytest.raises(ConfigurationError, match=said):
        MetricsEndpoint(HOST, port, manifest(tmp_path))


def test_a_server_that_is_started_again_waits_for_its_port(
    endpoint: MetricsEndpoint,
    port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Somebody may have taken it; the log says so once."""
    monkeypatch.setattr(metrics_endpoint, "_RETRY_S", 0.0)
    again = MetricsEndpoint(HOST, port, manifest(tmp_path), can_wait=True)
    again.write([row("actor", env_steps=5)])
    assert f"--metrics_port {port} at {HOST} is in use" in str(again.problem)
    assert caplog.text.count("no figures for Prometheus for now") == 1
    endpoint.close()
    again.write([])
    assert again.problem is None
    assert value(port, "antiphon_actor_env_steps_total") == 5
    again.close()


def test_a_scrape_of_500_actors_is_cheap(endpoint: MetricsEndpoint, port: int) -> None:
    """Prometheus gives up after 10 s; it takes 0.05 s of a processor."""
    counted = {each.name: 1.5 for each in figures.numbers("actor")}
    endpoint.write([row("actor", task, **counted) for task in range(500)])
    before = time.process_time()
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    assert time.process_time() - before < 1
    assert text.count("antiphon_actor_env_steps_total{") == 500
