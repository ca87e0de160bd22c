"""How a run begins: anew from a preset, or going on with what is in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiment import definition, presets, run_dir
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
) -> tuple[definition.Experiment, Manifest]:
    """Builds the experiment and the manifest of a run.

    A resumed run keeps its preset, bindings and seed; new bindings win over the old.

    Args:
      root_dir: Folder of the run, claimed.
      gin_file: Preset or file; None takes the default.
      gin_bindings: Win over the file.
      seed: None takes the default.
      num_actors: Actors to be started.
      resume: Whether to go on with the run in `root_dir`.

    Returns:
      What is learned, and the manifest to publish.

    Raises:
      ConfigurationError: The configuration is wrong.
    """
    if resume:
        _refuse_with_resume(gin_file, seed)
        old = Manifest.from_json((root_dir / run_dir.MANIFEST).read_text())
        experiment = definition.load_text("\n".join([old.gin_text, *gin_bindings]))
        name, seed = old.gin_file, old.seed
    else:
        path = presets.find_preset(gin_file or presets.DEFAULT_PRESET)
        experiment = definition.load_file(path, gin_bindings)
        name, seed = path.name, DEFAULT_SEED if seed is None else seed
    manifest = Manifest.new(
        gin_file=name,
        gin_text=definition.effective_text(),
        root_dir=str(root_dir),
        seed=seed,
        num_actors=num_actors,
        resumed=resume,
    )
    return experiment, manifest


def _refuse_with_resume(gin_file: str | None, seed: int | None) -> None:
    """Refuses, with a `ConfigurationError`, what a resumed run has already."""
    for flag, value in (("gin_file", gin_file), ("seed", seed)):
        if value is not None:
            raise ConfigurationError(
                f"--{flag}={value} cannot be given with --resume: the run goes on with "
                "its own. Single values can be changed by --gin_bindings."
            )
