#!/usr/bin/env bash
# Trains on this machine: `launch/local.sh --help` lists the flags.
# The first start makes the virtual environment `.venv`, see launch/setup.sh.
set -euo pipefail

root=$(readlink -f "${BASH_SOURCE[0]}")
root=${root%/*/*}
"$root/launch/setup.sh"

exec "$root/.venv/bin/python" "$root/launch/run_module.py" launch "$@"
