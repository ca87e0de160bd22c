#!/usr/bin/env bash
# Everything that has to hold: format, lint, types, import directions, tests.
# With arguments only pytest runs, and gets them: tests/run.sh tests/actor -k name
# What can go wrong in whole runs, and the benchmarks, slow tests too: tests/run.sh --faults
set -euo pipefail

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
launch/setup.sh test
PATH=$PWD/.venv/bin:$PATH

step() {
  printf '\n== %s\n' "$*"
  "$@"
}

if [[ ${1:-} == --faults ]]; then
  shift
  exec python -m pytest tests/faults tests/bad_input tests/benchmarks \
    tests/system/test_several_hosts.py tests/system/test_slurm.py \
    -m "slow or not slow" "$@"
fi
if (($#)); then
  exec python -m pytest "$@"
fi
step ruff format --check .
step ruff check .
step mypy
step lint-imports
# More files at a time than two cores can run: many tests wait for processes or for time.
step python -m pytest -n 3 --dist loadfile
