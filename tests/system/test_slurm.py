"""launch/slurm.sbatch on a real Slurm of two nodes, which are both this machine."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from experiment import run_dir
from tests.system import slurm_cluster
from tests.system.commands import CHECKOUT
from tests.system.slurm_cluster import SlurmCluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(slurm_cluster.missing()),
        reason=f"{', '.join(slurm_cluster.missing())} not installed; Debian has them "
        "in slurmctld, slurmd, slurm-client and munge",
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="Slurm's daemons run as root"),
    pytest.mark.timeout(1_800),
]

# Seconds for anything to happen, on a machine that is busy; a job that is started again
# waits for some seconds first.
_TIMEOUT_S = 400.0


class Job:
    """A job of `launch/slurm.sbatch`.

    Attributes:
      root_dir: Of its run.
    """

    def __init__(self, cluster: SlurmCluster, folder: Path, *flags: str) -> None:
        self._cluster = cluster
        self.root_dir = folder / "run"
        self._output = folder / "job.out"
        self.number = cluster.run(
            *("sbatch", "--parsable", f"--output={self._output}"),
            *("--nodes=2", "--ntasks-per-node=2", "launch/slurm.sbatch"),
            *(f"--root_dir={self.root_dir}", *flags),
            cwd=CHECKOUT,
        )
        assert self.number.isdecimal(), self.number

    @property
    def output(self) -> str:
        """All it has printed, in all its lives."""
        return self._output.read_text() if self._output.exists() else ""

    @property
    def state(self) -> str:
        """As Slurm has it, e.g. RUNNING."""
        words = self._cluster.run("scontrol", "show", "job", self.number).split()
        told = dict(word.split("=", 1) for word in words if "=" in word)
        return told.get("JobState", "UNKNOWN")

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Waits until something has happened to it."""
        deadline = time.monotonic() + _TIMEOUT_S
        while not condition():
            state = self.state
            told = f"waited in vain for {what}, state {state}:\n{self.output}"
            assert state in {"RUNNING", "PENDING", "COMPLETING", "REQUEUED"}, told
            assert time.monotonic() < deadline, told
            time.sleep(0.5)

    def trained(self) -> int:
        """The newest train step of its learner."""
        if not (self.root_dir / run_dir.METRICS).exists():
            return 0
        return int(run_dir.last_row(self.root_dir, "learner").get("train_step") or 0)

    def wait_until_it_trains(self) -> None:
        """Waits until it has got further than it is now."""
        before = self.trained()
        self.wait("more train steps", lambda: self.trained() > before)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SlurmCluster]:
    """With nothing to do; its jobs end with it."""
    with SlurmCluster(tmp_path / "slurm") as made:
        yield made
        made.run("scancel", "--user=root", "--full", "--signal=KILL")
        made.run("scancel", "--user=root")


def test_a_run_survives_its_time_limit_and_a_preemption(
    cluster: SlurmCluster, tmp_path: Path
) -> None:
    """Each time it goes on from its newest snapshot, by itself, until it is through."""
    # Longer than it takes until then; whether it learns is for others to say.
    ends = ("--target_return=1000", "--max_train_steps=20000")
    job = Job(cluster, tmp_path, "--seed=0", "--gin_file=dqn_cartpole.gin", *ends)
    job.wait_until_it_trains()
    run_id = run_dir.read_manifest(job.root_dir).run_id

    # What Slurm sends, by the script's own wish, 90 s before the time is over.
    cluster.run("scancel", "--batch", "--signal=USR1", job.number)
    job.wait("a snapshot", lambda: "a last snapshot" in job.output)
    job.wait("its end", lambda: job.state == "PENDING")
    stored = job.trained()
    job.wait("another start", lambda: job.state == "RUNNING")
    job.wait_until_it_trains()

    # Somebody else needs both nodes, for a moment.
    urgent = cluster.run(
        *("sbatch", "--parsable", "--partition=urgent", "--nodes=2", "--exclusive"),
        *("--output=/dev/null", "--wrap=true"),
    )
    job.wait("its end", lambda: job.state == "PENDING")
    job.wait("another start", lambda: job.state == "RUNNING")
    assert "JobState=COMPLETED" in cluster.run("scontrol", "show", "job", urgent)
    job.wait("its end", lambda: job.state == "COMPLETED")

    result = json.loads((job.root_dir / run_dir.RESULT).read_text())
    assert result["status"] == "max_train_steps"
    assert result["num_actors"] == 2
    assert result["run_id"] == run_id
    assert result["train_step"] == 20_000 > stored > 0
    assert job.output.count("dqn_cartpole.gin: 2 actors") == 1
    assert job.output.count("going on: 2 actors (2 of them started elsewhere)") == 2
