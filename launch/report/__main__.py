"""`python -m launch.report`: the report of a run that goes on, has ended or broken off.

Of several runs, it puts them side by side.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from experiment import process, run_dir
from experiment.errors import EXIT_FINISHED, ConfigurationError
from launch.report import page

_ROOT_DIR = flags.DEFINE_multi_string(
    "root_dir",
    [],
    "Folder of a run; may be repeated, to compare runs; default: "
    f"{run_dir.RUNS / run_dir.LATEST}.",
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    f"The HTML file to write; default: {run_dir.REPORT} in the run's folder, or here "
    "if there are several.",
)


def main() -> int:
    """Parses, reads, writes."""
    named = [Path(folder).expanduser() for folder in _ROOT_DIR.value]
    root_dirs = named or [run_dir.RUNS / run_dir.LATEST]
    folder = root_dirs[0] if len(root_dirs) == 1 else Path()
    output = Path(_OUTPUT.value or folder / run_dir.REPORT)
    try:
        page.write(root_dirs, output)
    except OSError as error:
        raise ConfigurationError(
            f"--output={output} cannot be written ({error.strerror}); choose another."
        ) from error
    print(f"see {output}")
    return EXIT_FINISHED


if __name__ == "__main__":
    process.run(main)
