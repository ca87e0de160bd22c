"""`python -m tests.docs.interface`: prints as JSON what a user can set and gets.

In a process of its own: flags and gin names are global, and other tests define some.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import gin
from absl import flags

from launch.doctor import options as doctor_options

PROCESSES = (
    "launch",
    "reverb_server",
    "actor",
    "learner",
    "eval_job",
    "replay_shard",
    "reverb_server.peek",
    "launch.report",
    "launch.doctor",
    "launch.check",
    "launch.scale",
    "launch.ray_cluster",
)


def flags_of(process: str) -> dict[str, Any]:
    """The flags that a main defines, with their defaults; forgets them again.

    Those of libraries do not count. The doctor's are argparse's.
    """
    if process == "launch.doctor":
        return vars(doctor_options.parser().parse_args([]))
    spec = importlib.util.find_spec(process)
    is_package = spec is not None and spec.submodule_search_locations is not None
    main = f"{process}.__main__" if is_package else process
    before = set(flags.FLAGS)
    if process == "launch.ray_cluster":  # It has the launcher's flags, which are gone.
        for module in ("launch.isolation", "launch.flags"):
            importlib.reload(sys.modules[module])
    importlib.import_module(main)
    ours = {
        name: flags.FLAGS[name].default
        for name in set(flags.FLAGS) - before
        if str(flags.FLAGS.find_module_defining_flag(name)).split(".")[0]
        in (*PROCESSES, "experiment")
    }
    shown = {flag.name for flag in flags.FLAGS.get_key_flags_for_module(main)}
    if shown != set(ours):
        sys.exit(f"{main} --help shows {sorted(shown)}, not {sorted(ours)}")
    for name in ours:
        delattr(flags.FLAGS, name)
    return ours


def gin_names() -> dict[str, dict[str, tuple[str, str]]]:
    """Type and default of each parameter, by the names that `experiment` registers."""
    return {
        entry.name: {
            parameter.name: (str(parameter.annotation), _default(entry, parameter))
            for parameter in inspect.signature(entry.wrapped).parameters.values()
            if parameter.default is not parameter.empty
        }
        for _, entry in gin.config._REGISTRY.items()
        if entry.wrapped.__module__.split(".")[0] == "experiment"
    }


def _default(entry: Any, parameter: inspect.Parameter) -> str:
    """A default as gin would have it, or "required"."""
    if parameter.default is gin.REQUIRED:
        return "required"
    if dataclasses.is_dataclass(entry.wrapped):
        field = {f.name: f for f in dataclasses.fields(entry.wrapped)}[parameter.name]
        if field.default is dataclasses.MISSING:
            return f"@{field.default_factory.__name__}()"  # type: ignore[union-attr]
    if callable(parameter.default):
        return f"@{parameter.default.__name__}"
    return repr(parameter.default)


def result_fields() -> list[str]:
    """The fields of `result.json`, in their order, of a run that never was."""
    options = importlib.import_module("launch.options").Options
    values = dict.fromkeys(field.name for field in dataclasses.fields(options))
    with tempfile.TemporaryDirectory() as folder:
        path = importlib.import_module("launch.result").write(
            options(**{**values, "root_dir": Path(folder), "gin_file": "some.gin"}),
            "failed",
            0.0,
            1.0,
        )
        return list(json.loads(path.read_text()))


def main() -> None:
    """Prints everything on the last line."""
    found = {process: flags_of(process) for process in PROCESSES}
    importlib.import_module("experiment.definition")
    row = importlib.import_module("eval_job.returns_file").Row
    answer = {
        "flags": found,
        "gin": gin_names(),
        "result.json": result_fields(),
        "eval/returns.csv": [field.name for field in dataclasses.fields(row)],
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
