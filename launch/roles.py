"""The processes that a run consists of, as data."""

from __future__ import annotations

import os
from collections.abc import Sequence

from experiment import run_dir
from launch.options import Options
from launch.role import Role
from reverb_server import figures

# What one is told that takes the place of another.
_RESTART = ("--is_restart",)


def describe(
    options: Options, address: str, shard_ports: Sequence[int] = ()
) -> list[Role]:
    """The processes of a run, the server first.

    They start side by side. But importing TensorFlow takes each of them seconds of a
    processor: actors that the first update can do without wait until the server is up.
    So a wrong configuration, which it tells, is told before hundreds are started.

    Args:
      options: What the run is started with.
      address: host:port of the server, for all others.
      shard_ports: Of the further replay servers.
    """
    join = _join(address)
    server = _server_flags(options, address)
    return [
        Role(
            "reverb_server",
            "reverb_server",
            server,
            _restart_flags(options),
            serves=True,
        ),
        *(
            _shard(options, address, number, port)
            for number, port in enumerate(shard_ports, start=1)
        ),
        Role("learner", "learner", [join, *options.learner_device.flags()]),
        Role("eval_job", "eval_job", [join], _RESTART),
        *(actor(task, address) for task in range(options.actors_here)),
    ]


def actor(task: int, address: str) -> Role:
    """One actor of a run, which others can stand in for."""
    return Role(
        figures.process_name(figures.ACTOR, task),
        "actor",
        [_join(address), f"--task={task}"],
        _RESTART,
        task=task,
        waits_for_server=task >= len(os.sched_getaffinity(0)),
        is_spare=True,
    )


def _shard(options: Options, address: str, number: int, port: int) -> Role:
    """A further replay server."""
    return Role(
        figures.process_name(figures.SHARD, number),
        figures.SHARD,
        [
            _join(address),
            f"--shard={number}",
            f"--port={port}",
            "--is_supervised",
            f"--discard_replay={options.discard_replay}",
        ],
        _RESTART,
        task=number,
        serves=True,
    )


def _join(address: str) -> str:
    return f"--server_address={address}"


def _restart_flags(options: Options) -> list[str]:
    """What tells a server that comes back whether the one before had begun to serve."""
    folder, earlier = options.root_dir, 0
    if (folder / run_dir.MANIFEST).exists():
        earlier = run_dir.read_manifest(folder).server_start
    return [*_RESTART, f"--earlier_servers={earlier}"]


def _server_flags(options: Options, address: str) -> list[str]:
    """What the server is started with; all others learn it from there."""
    server = [
        f"--root_dir={options.root_dir}",
        *(f"--gin_bindings={binding}" for binding in options.gin_bindings),
        f"--num_actors={options.num_actors}",
        f"--actors_elsewhere={options.actors_elsewhere}",
        f"--num_replay_servers={options.num_replay_servers}",
        f"--port={address.rpartition(':')[2]}",
        "--is_supervised",
        f"--resume={options.resume}",
        f"--discard_replay={options.discard_replay}",
    ]
    if options.gin_file is not None:
        server.append(f"--gin_file={options.gin_file}")
    if options.seed is not None:
        server.append(f"--seed={options.seed}")
    if options.metrics_address is not None:
        host, metrics_port = options.metrics_address
        server += [f"--metrics_host={host}", f"--metrics_port={metrics_port}"]
    return server
