#!/usr/bin/env bash
# Keeps one actor going on this host: `launch/actor.sh --server_address=HOST:8008 --task=0`
# takes the flags of `python -m actor`, and starts it again when it fails.
# Ends with its exit code: 0 when the run has ended, 2 when it was refused, 128 + the
# number of a signal that this script was told to end by.
set -euo pipefail

# Failures in a row before it gives up. The launcher knows who has worked; here an actor
# that has lived for WELL_S seconds begins anew. One that has not worked lives for less: it
# waits for its server for 60 s, and once more for 120 s (reverb_server/address.py).
readonly MOST=5 WELL_S=300

root=$(readlink -f "${BASH_SOURCE[0]}")
root=${root%/*/*}
"$root/launch/setup.sh"
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}

child="" told=0 code=0
tell() {
  told=$1
  [[ -z $child ]] || kill "$child" 2>/dev/null || true
}
trap 'tell INT' INT
trap 'tell TERM' TERM

# Waits for the child that was started last; sets `code`.
attend() {
  child=$!
  [[ $told == 0 ]] || kill "$child" 2>/dev/null || true
  while :; do
    code=0
    wait "$child" || code=$?
    # A signal ends the wait, not the child.
    kill -0 "$child" 2>/dev/null || break
  done
  [[ $told == 0 ]] || exit $((128 + $(kill -l "$told")))
}

failures=0 again=()
while :; do
  started=$SECONDS
  "$root/.venv/bin/python" "$root/launch/run_module.py" actor "$@" "${again[@]}" &
  attend
  ((code != 0 && code != 2)) || exit "$code"
  again=(--is_restart) # it must not draw the same random numbers again
  ((SECONDS - started < WELL_S)) || failures=0
  ((code != 75)) || continue # it asks to be started again
  ((++failures <= MOST)) || exit "$code"
  pause=$((1 << (failures - 1)))
  echo "actor.sh: the actor ended with exit code $code; starting it again in $pause s" >&2
  sleep "$pause" &
  attend
done
