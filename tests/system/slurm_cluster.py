"""A Slurm cluster of two nodes on this machine: real daemons, in a folder of theirs.

To try things by hand: `python -m tests.system.slurm_cluster FOLDER` starts one, and
says how to use it; Ctrl-C ends it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

import portpicker

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")

# Seconds for the nodes to join, and for a daemon to end.
_START_S = 120.0
_END_S = 30.0

# Preemption is by partition. Both nodes offer what the machine has, so together they
# offer twice that. A job that is requeued waits until its credentials have expired.
_CONFIG = """
ClusterName=test
SlurmctldHost=localhost
SlurmctldPort={controller}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=30
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=node1 NodeHostname=localhost Port={node1} CPUs={cpus} State=UNKNOWN
NodeName=node2 NodeHostname=localhost Port={node2} CPUs={cpus} State=UNKNOWN
PartitionName=usual Nodes=ALL Default=YES PriorityTier=1 GraceTime=60 State=UP
PartitionName=urgent Nodes=ALL PriorityTier=9 PreemptMode=OFF State=UP
"""


def missing() -> list[str]:
    """Programs that are not installed; Debian has them in munge, slurmctld, slurmd."""
    return [name for name in _PROGRAMS if shutil.which(name) is None]


class SlurmCluster:
    """The daemons; to be used as a context.

    Attributes:
      environment: With which Slurm's commands find it.
    """

    def __init__(self, folder: Path) -> None:
        """Starts nothing yet.

        Args:
          folder: Where all of it lies; made if need be.
        """
        self._folder = folder
        self._daemons: list[subprocess.Popen[bytes]] = []
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}

    def __enter__(self) -> SlurmCluster:
        self._configure()
        try:
            self._start(
                *("munged", "--foreground", "--force"),
                *(f"--key-file={self._folder}/munge.key",),
                *(f"--socket={self._folder}/munge.socket",),
                *(f"--pid-file={self._folder}/munged.pid",),
                *(f"--log-file={self._folder}/munged.log",),
                *(f"--seed-file={self._folder}/munged.seed",),
            )
            self._await("munge", (self._folder / "munge.socket").exists)
            self._start("slurmctld", "-D", "-i")
            for name in ("node1", "node2"):
                self._start("slurmd", "-D", "-N", name)
            self._await("the nodes", lambda: self._states() == {"idle"})
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGTERM)
        for daemon in reversed(self._daemons):
            try:
                daemon.wait(_END_S)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def run(self, *command: str, cwd: Path | None = None) -> str:
        """Runs one of Slurm's commands; returns what it prints, errors too."""
        ended = subprocess.run(
            command,
            cwd=cwd,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_START_S,
            check=False,
        )
        return ended.stdout.strip()

    def _states(self) -> set[str]:
        """Of the nodes."""
        return set(self.run("sinfo", "-h", "-N", "-o%t").splitlines())

    def _configure(self) -> None:
        (self._folder / "state").mkdir(parents=True, exist_ok=True)
        key = self._folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        ports = ("controller", "node1", "node2")
        text = _CONFIG.format(
            folder=self._folder,
            cpus=os.cpu_count(),
            **{name: portpicker.pick_unused_port() for name in ports},
        )
        (self._folder / "slurm.conf").write_text(text)

    def _start(self, *command: str) -> None:
        with (self._folder / f"{command[0]}.out").open("ab") as output:
            daemon = subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=output
            )
        self._daemons.append(daemon)

    def _await(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain for {what}; see {self._folder}")
            time.sleep(0.2)


def main() -> None:
    """Runs one until Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    folder = Path(sys.argv[1]).absolute()
    with SlurmCluster(folder):
        print(f"export SLURM_CONF={folder}/slurm.conf", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
