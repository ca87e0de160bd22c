"""A Ray cluster of several nodes on this machine, in a process of its own.

Usage: python ray_nodes_of_a_test.py CPUS_OF_THE_HEAD CPUS_OF_ANOTHER_NODE ...

It prints the address and the process id of each node's raylet: who kills that takes the
node away. At SIGTERM all nodes end.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile

# Away from other clusters of this user, and with a short path: sockets lie there.
_FOLDER = tempfile.mkdtemp(prefix="ray-")
os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_TMPDIR=_FOLDER)

from ray.cluster_utils import Cluster  # noqa: E402  (it reads the variables)

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
    cluster = Cluster(shutdown_at_exit=True)
    nodes = [
        cluster.add_node(num_cpus=float(cpus), include_dashboard=False)
        for cpus in sys.argv[1:]
    ]
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
    print(cluster.address, *raylets, flush=True)
    while True:
        signal.pause()
