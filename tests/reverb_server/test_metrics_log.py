"""reverb_server/metrics_log.py: the rows, read back as users read them."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pandas
import pytest

from experiment import run_dir
from reverb_server.metrics_log import MetricsLog

ROWS = [
    {"role": "actor", "task": 0, "env_steps": 10, "average_return": None},
    {"role": "learner", "task": 0, "loss": float("nan"), "problem": 'no "space"'},
    {"role": "learner", "task": 0, "snapshot": {"train_step": 5, "path": None}},
]


def test_pandas_reads_the_rows(tmp_path: Path) -> None:
    """One for each, in order; what a role does not have is missing."""
    log = MetricsLog(tmp_path)
    log.write(ROWS[:1])
    log.write(ROWS[1:])
    read = pandas.read_json(tmp_path / run_dir.METRICS, lines=True)
    assert read["role"].tolist() == ["actor", "learner", "learner"]
    assert read["env_steps"].dropna().tolist() == [10]
    assert read["average_return"].dropna().empty
    assert read["loss"].dropna().empty
    assert read["problem"].dropna().tolist() == ['no "space"']
    assert read["snapshot"].dropna().tolist() == [{"train_step": 5, "path": None}]


def test_no_rows_leave_the_file_as_it_is(tmp_path: Path) -> None:
    """There may be none yet."""
    MetricsLog(tmp_path).write([])
    path = tmp_path / run_dir.METRICS
    assert not path.exists() or not path.read_text()


def test_a_full_disk_costs_rows_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The file has whole lines, and its time says that the server lives."""
    log = MetricsLog(tmp_path)
    log.write(ROWS)
    path = tmp_path / run_dir.METRICS
    size = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, hard))
    try:
        before = time.time() - 1
        log.write(ROWS)
        assert path.stat().st_size == size
        assert path.stat().st_mtime >= before
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "3 rows of figures are lost" in caplog.text
    log.write(ROWS)
    assert len(pandas.read_json(path, lines=True)) == 2 * len(ROWS)
