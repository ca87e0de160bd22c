#!/usr/bin/env bash
# Trains on this machine: `launch/local.sh --help` lists the flags.
# The first start makes the virtual environment `.venv`, see launch/setup.sh.
set -euo pipefail

root=$(readlink -f "${BASH_SOURCE[0]}")
root=${root%/*/*}
"$root/launch/setup.sh"

# Times of the run are counted from here: a first set-up takes minutes.
export ANTIPHON_SET_UP_AT=${EPOCHREALTIME/,/.}

exec "$root/.venv/bin/python" "$root/launch/run_module.py" launch "$@"
