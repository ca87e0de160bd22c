"""benchmarks/report.py: the machine, the table, the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import Report, describe_machine, table
from tests.launch.a_run import CHECKOUT


def test_the_machine_is_described() -> None:
    machine = describe_machine()
    assert machine["processor"]
    assert machine["tensorflow"].startswith("2.15")
    assert len(machine["load_average"]) == 3
    assert json.loads(json.dumps(machine)) == machine


def test_a_table_has_three_digits_and_dashes() -> None:
    rows: list[dict[str, Any]] = [
        {"side": "ours", "per s": 12345.6, "ratio": 0.123, "steps": 12000},
        {"side": "stock", "per s": None, "ratio": 45.67, "steps": 7},
    ]
    assert table(rows).splitlines() == [
        "| side   |   per s |   ratio |   steps |",
        "|--------|---------|---------|---------|",
        "| ours   |  12,346 |    0.12 |  12,000 |",
        "| stock  |       - |    45.7 |       7 |",
    ]


def test_a_report_is_shown_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    report = Report("speed", {"seconds": 5})
    report.rows.append({"side": "ours", "per_s": 1.0})
    report.show()
    assert "| ours   |    1.00 |" in capsys.readouterr().out
    written = report.write()
    assert written == Path("benchmarks/results/speed.json")
    saved = json.loads(written.read_text())
    assert saved["arguments"] == {"seconds": 5}
    assert saved["rows"] == report.rows
    assert saved["machine"] == report.machine
    assert report.write(tmp_path / "a" / "b.json").exists()


def test_an_empty_report_can_be_shown() -> None:
    assert not table([]).strip()


def test_reporting_needs_no_tensorflow() -> None:
    code = (
        "import sys\n"
        "from benchmarks import report, time_to_target\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=True, timeout=60)
