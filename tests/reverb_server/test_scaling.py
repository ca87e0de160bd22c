"""reverb_server/scaling.py: a run takes another number of actors, or says why not."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import portpicker
import pytest
from tf_agents.environments import py_environment

from experiment import definition, run_dir
from experiment.errors import ConfigurationError
from reverb_server import membership, scaling
from reverb_server.membership import Membership
from reverb_server.scale_request import ScaleRequest
from reverb_server.server import RunServer
from tests.reverb_server.run_for_tests import GIN_TEXT, StopByHand, manifest
from tests.reverb_server.waiting import wait_until


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunServer]:
    """The server of a run, in whose folder there is a request of an earlier life."""
    ScaleRequest(7).write(tmp_path)
    port = portpicker.pick_unused_port()
    server = RunServer(definition.load_text(GIN_TEXT), manifest(tmp_path), port)
    yield server
    server._server.stop()


def serve(run: RunServer, rounds: int = 1) -> None:
    """Serves for so many rounds, without waiting between them."""
    answers = itertools.chain([False] * rounds, [True])
    run.serve(lambda seconds: next(answers), is_supervised=True)


def answered(run: RunServer, folder: Path, request: ScaleRequest) -> ScaleRequest:
    """What the server has made of a request."""
    request.write(folder)
    serve(run)
    found = ScaleRequest.read(folder)
    assert found is not None
    return found


def test_whoever_is_there_or_joins_or_resumes_hears_of_another_number(
    run: RunServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the one manifest; and the launcher by the figures."""
    monkeypatch.setattr(membership, "_POLL_S", 0.02)
    member = Membership(run.address, "actor", StopByHand(), 0)
    assert member.manifest.num_actors == 1
    request = ScaleRequest(3)
    assert answered(run, tmp_path, request) == dataclasses.replace(
        request, is_taken=True
    )
    wait_until(lambda: member.manifest.num_actors == 3)
    assert member.manifest == run.manifest == run_dir.read_manifest(tmp_path)
    joined = Membership(run.address, "actor", StopByHand(), 2)
    assert joined.manifest.num_actors == 3
    for each in (member, joined):
        each.leave()
    serve(run)
    lines = (tmp_path / run_dir.METRICS).read_text().splitlines()
    assert json.loads(lines[-1])["num_actors"] == 3


def test_an_answer_is_given_once(run: RunServer, tmp_path: Path) -> None:
    """A file that nobody takes away scales no run again."""
    answered(run, tmp_path, ScaleRequest(3))
    run._scale(2)
    serve(run)
    assert run.manifest.num_actors == 2


@pytest.mark.parametrize("number", [0, -1, 2.5, "3", None])
def test_what_is_no_number_of_actors_is_refused(
    number: int, run: RunServer, tmp_path: Path
) -> None:
    """Anybody can write the file."""
    found = answered(run, tmp_path, ScaleRequest(number))
    assert not found.is_taken
    assert f"--num_actors is {number!r}; it must be" in (found.refusal or "")
    assert run.manifest.num_actors == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"actors": 2}'])
def test_what_is_no_request_is_none(text: str, run: RunServer, tmp_path: Path) -> None:
    (tmp_path / run_dir.SCALE).write_text(text)
    serve(run)
    assert run.manifest.num_actors == 1


def test_what_was_asked_of_an_earlier_life_is_forgotten(
    run: RunServer, tmp_path: Path
) -> None:
    """It was not in force."""
    serve(run)
    assert run.manifest.num_actors == 1
    assert not (tmp_path / run_dir.SCALE).exists()


@pytest.mark.parametrize(
    ("bindings", "error"),
    [
        (
            "Replay.samples_per_insert = 8.0\n"
            "Replay.samples_per_insert_tolerance = 3000",
            r"samples_per_insert_tolerance is 3000; .* and 50 actors it must be >=",
        ),
        (
            "Experiment.collect_policy = @epsilon_ladder\nepsilon_ladder.base = 2",
            r"epsilon_ladder\.base is 2",
        ),
    ],
)
def test_a_number_that_the_next_server_would_refuse_is_refused(
    bindings: str, error: str
) -> None:
    """A run that is scaled to it could not be resumed."""
    experiment = definition.load_text(
        f"{GIN_TEXT}\nTrain.steps_per_call = 1\n{bindings}"
    )
    with pytest.raises(ConfigurationError, match=error):
        scaling.check(experiment, 50)


def test_any_other_number_will_do() -> None:
    """More, or fewer, than the run was started with; no environment is left open."""
    experiment = definition.load_text(GIN_TEXT)
    closed: list[int] = []

    def environment() -> py_environment.PyEnvironment:
        made = experiment.environment()
        made.close = lambda: closed.append(number)
        return made

    for number in (1, 2, 1_000):
        scaling.check(dataclasses.replace(experiment, environment=environment), number)
    assert closed == [1, 2, 1_000]


def test_who_asks_second_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    """Until the first has its answer, or was killed long ago."""
    first = ScaleRequest(3)
    assert first.hand_in(tmp_path, lasts_s=60)
    assert not ScaleRequest(5).hand_in(tmp_path, lasts_s=60)
    assert ScaleRequest.read(tmp_path) == first
    long_ago = time.time() - 61
    os.utime(tmp_path / run_dir.SCALE, (long_ago, long_ago))
    second = ScaleRequest(5)
    assert second.hand_in(tmp_path, lasts_s=60)
    assert ScaleRequest.read(tmp_path) == second


@pytest.mark.parametrize("other", [None, ScaleRequest(5)])
def test_a_request_that_is_gone_once_it_is_checked_scales_nothing(
    other: ScaleRequest | None, tmp_path: Path
) -> None:
    """Nor is it the answer to another one, whose turn is the next."""
    scaled: list[int] = []

    def check(num_actors: int) -> None:
        if num_actors == 3:
            ScaleRequest.forget(tmp_path)
            if other:
                other.write(tmp_path)

    answers = scaling.Scaling(tmp_path, check, scaled.append, is_restart=False)
    ScaleRequest(3).write(tmp_path)
    answers.look()
    assert ScaleRequest.read(tmp_path) == other
    assert scaled == []
    answers.look()
    assert scaled == ([5] if other else [])
