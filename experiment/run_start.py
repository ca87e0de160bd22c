"""How a run begins: anew from a preset, or going on with what is in its folder."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

from experiment import changes, definition, machine, presets, run_dir
from experiment.errors import ConfigurationError
from experiment.manifest import DEFAULT_SEED, Manifest


def start_run(
    root_dir: Path,
    *,
    gin_file: str | None,
    gin_bindings: Sequence[str],
    seed: int | None,
    num_actors: int,
    resume: bool,
    actors_elsewhere: int = 0,
    in_process: bool = False,
    num_replay_servers: int | None = None,
) -> tuple[definition.Experiment, Manifest]:
    """Builds the experiment and the manifest of a run.

    A resumed run keeps its id, preset, bindings and seed; new bindings win over the
    old.

    Args:
      root_dir: Folder of the run, claimed.
      gin_file: Preset or file; None takes the default.
      gin_bindings: Win over the file.
      seed: None takes the default.
      num_actors: Actors to be started.
      resume: Whether to go on with the run in `root_dir`.
      actors_elsewhere: Of them, those that the launcher does not start.
      in_process: Whether all roles share this process.
      num_replay_servers: Servers to spread the replay over; None takes one, or those of
        the run that is resumed.

    Returns:
      What is learned, and the manifest to publish.

    Raises:
      ConfigurationError: The configuration is wrong.
    """
    if resume:
        _refuse_with_resume(gin_file, seed)
        _require_its_servers(root_dir, num_replay_servers, in_process)
        actors = {"num_actors": num_actors, "actors_elsewhere": actors_elsewhere}
        return _go_on(root_dir, gin_bindings, actors, in_process)
    path = presets.find_preset(gin_file or presets.DEFAULT_PRESET)
    experiment = definition.load_file(path, gin_bindings)
    return experiment, Manifest.new(
        gin_file=path.name,
        gin_text=definition.effective_text(),
        gin_folder=str(path.parent),
        root_dir=str(root_dir),
        seed=DEFAULT_SEED if seed is None else seed,
        num_actors=num_actors,
        actors_elsewhere=actors_elsewhere,
        resumed=False,
        in_process=in_process,
        replay_shards=[""] * ((num_replay_servers or 1) - 1),
    )


def _go_on(
    root_dir: Path,
    gin_bindings: Sequence[str],
    actors: dict[str, int],
    in_process: bool,
) -> tuple[definition.Experiment, Manifest]:
    """The run of the folder, with new bindings; its clock goes on where it stood."""
    old = run_dir.read_manifest(root_dir)
    pause = [run_dir.last_heard(root_dir), time.time()]
    experiment = definition.load_run(old, gin_bindings)
    gin_text = definition.effective_text()
    # Of all bindings: what the server does not build (exploration, say) is used by
    # others. `settle` adds what is not bound.
    changed = changes.compare(old.gin_text, gin_text)
    for name, number in actors.items():
        before = getattr(old, name)
        if number != before:
            changed[f"--{name}"] = f"--{name} was {before}, is {number}"
    return experiment, dataclasses.replace(
        old,
        gin_text=gin_text,
        root_dir=str(root_dir),
        num_actors=actors["num_actors"],
        actors_elsewhere=actors["actors_elsewhere"],
        resumed=run_dir.has_stored(root_dir),
        changes=list(changed.values()),
        started_at=old.started_at + pause[1] - pause[0],
        in_process=in_process,
        pauses=[*old.pauses, pause],
        server_start=old.server_start + 1,
        machine=machine.describe(),
        replay_shards=[""] * len(old.replay_shards),
        lost_shards=[],
    )


def restart_run(root_dir: Path) -> tuple[definition.Experiment, Manifest]:
    """As `start_run`, for a server that takes the place of one that died just now."""
    old = run_dir.read_manifest(root_dir)
    return (
        definition.load_run(old),
        dataclasses.replace(old, server_start=old.server_start + 1, changes=[]),
    )


def _refuse_with_resume(gin_file: str | None, seed: int | None) -> None:
    """Refuses, with a `ConfigurationError`, what a resumed run has already."""
    for flag, value in (("gin_file", gin_file), ("seed", seed)):
        if value is not None:
            raise ConfigurationError(
                f"--{flag}={value} cannot be given with --resume: the run goes on with "
                "its own. Single values can be changed by --gin_bindings."
            )


def _require_its_servers(
    root_dir: Path, num_replay_servers: int | None, in_process: bool
) -> None:
    """Refuses, with a `ConfigurationError`, other servers than those of the run."""
    has = run_dir.read_manifest(root_dir).num_replay_servers
    if in_process and has > 1:
        raise ConfigurationError(
            f"the run in {root_dir} spreads its replay over {has} servers, which are "
            "processes of their own; go on with it without --in_process."
        )
    if num_replay_servers not in (None, has):
        raise ConfigurationError(
            f"--num_replay_servers is {num_replay_servers}, but the run in {root_dir} "
            f"has stored its replay on {has}; leave the flag out, or set it to {has}."
        )


def settle(manifest: Manifest, weights: Sequence[str]) -> Manifest:
    """Completes the manifest once the experiment is built.

    Args:
      manifest: Of `start_run` or `restart_run`.
      weights: Shapes and types of the policy's weights.

    Returns:
      The manifest with the weights, and with what a resume has changed.

    Raises:
      ConfigurationError: What has changed does not fit what the run has stored.
    """
    stored = Path(manifest.root_dir) / run_dir.CONFIG
    if not manifest.weights or not stored.exists():
        return dataclasses.replace(manifest, weights=list(weights))
    used = changes.compare(stored.read_text(), definition.operative_text())
    bound = {line.partition(" was ")[0]: line for line in manifest.changes}
    changed = list({**bound, **used}.values())
    if manifest.weights != list(weights):
        raise ConfigurationError(
            f"--resume: {'; '.join(changed) or 'the code has changed'}: the weights "
            f"would be {', '.join(weights)}, but those stored are "
            f"{', '.join(manifest.weights)}; start a new run in another --root_dir, or "
            "take the change back."
        )
    return dataclasses.replace(manifest, weights=list(weights), changes=changed)
