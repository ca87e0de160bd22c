"""launch/doctor/served.py: what is told of the server of a run."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import portpicker
import pytest

from experiment import definition, run_dir
from launch.doctor.finding import Finding
from launch.doctor.served import checks
from reverb_server.server import RunServer
from tests.reverb_server.run_for_tests import GIN_TEXT, manifest


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunServer]:
    """Of a run whose code is another one."""
    known = manifest(tmp_path)
    other = dataclasses.replace(known, machine={**known.machine, "gym": "0.1"})
    port = portpicker.pick_unused_port()
    started = RunServer(definition.load_text(GIN_TEXT), other, port)
    yield started
    started.stop()


def look(server: RunServer) -> dict[str, Finding]:
    """What is found, by name."""
    return {check.name: check.attempt() for check in checks(server.address)}


def test_a_run_without_a_learner_is_told_so(server: RunServer) -> None:
    """And so are other versions."""
    found = look(server)
    assert {name for name in found if found[name].level == "fail"} == set()
    assert server.manifest.run_id in found["run"].text
    assert found["versions"].text.startswith("gym is 0.23.0 here, 0.1 there")
    assert found["layout"].level == "ok"
    assert found["tables"].level == "warn"
    assert found["members"].text == (
        "heard of: nobody; not for 30 s: reverb_server, actor, learner, eval_job"
    )


def test_members_are_those_whose_figures_came_lately(server: RunServer) -> None:
    """Read in the run's folder."""
    root_dir = Path(server.manifest.root_dir)
    ages = {"reverb_server": 0, "learner": 100, "actor": 1, "eval_job": 2}
    rows = [
        json.dumps({"role": role, "time": time.time() - age})
        for role, age in ages.items()
    ]
    (root_dir / run_dir.METRICS).write_text("\n".join(rows) + "\n")
    found = look(server)["members"]
    assert found.level == "warn"
    assert re.search(r"learner 1\d\d s ago", found.text)
    assert found.text.endswith("not for 30 s: learner")
    assert found.remedy == f"see the logs in {root_dir}"


def test_the_figures_of_a_run_on_another_host_are_not_known(
    server: RunServer,
) -> None:
    """That is no fault."""
    path = Path(server.manifest.root_dir) / run_dir.MANIFEST
    another = dataclasses.replace(server.manifest, run_id="another")
    for text in (another.to_json(), None):
        path.unlink() if text is None else path.write_text(text)
        found = look(server)["members"]
        assert found.level == "ok"
        assert found.text.startswith("not known here")
