"""launch/report/events.py: what happened to a run, and when."""

from __future__ import annotations

from pathlib import Path

from launch.report import events, run_files
from launch.report.run_files import Fault
from tests.launch.report import a_folder


def test_faults_notices_and_the_end_are_on_the_runs_clock(tmp_path: Path) -> None:
    rows = [
        a_folder.row("reverb_server", 20, stall="actors wait"),
        a_folder.row("run", 50, status="target_reached"),
    ]
    a_folder.write_metrics(a_folder.make(tmp_path), rows)
    found = events.of(run_files.read(tmp_path))
    assert [(each.seconds, each.kind, each.text) for each in found] == [
        (
            30,
            events.FAULT,
            "actor-1 was ended by SIGKILL after 26 s, and was started again in 1 s",
        ),
        (20, events.NOTICE, "waiting: actors wait"),
        (50, events.END, "the run has ended: target reached"),
    ]


def test_a_resume_is_an_event(tmp_path: Path) -> None:
    at = a_folder.STARTED_AT
    a_folder.make(tmp_path, pauses=[[at - 90, at + 10]])
    (tmp_path / "faults.jsonl").unlink()
    [event] = events.of(run_files.read(tmp_path))
    assert (event.seconds, event.kind.name) == (10, "resume")


def test_a_fault_for_good_says_so() -> None:
    fault = Fault(0.0, "learner", 1, 3.2, None)
    assert events.describe(fault) == (
        "learner failed with exit code 1 after 3 s, and was not started again"
    )


def test_marks_have_texts_without_markup_and_lines() -> None:
    text = "waiting: " + "<b>actor</b> " * 20
    happened = [events.Event(2.0, events.NOTICE, text)] * 3
    happened.append(events.Event(5.0, events.FAULT, "dead"))
    notices, faults = events.markers(happened, -10.0)
    assert list(notices.x) == [2_000] * 3
    assert list(faults.y) == [-10]
    assert "<b>" not in notices.text[0]
    assert "<br>" in notices.text[0]
    assert [line["x0"] for line in events.lines(happened)] == [2_000] * 3 + [5_000]


def test_of_thousands_the_newest_are_drawn() -> None:
    happened = [events.Event(n, events.FAULT, "dead") for n in range(5_000)]
    [marks] = events.markers(happened, 0.0)
    assert (len(marks.x), marks.x[-1]) == (200, 4_999_000)
