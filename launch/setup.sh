#!/usr/bin/env bash
# Makes the virtual environment `.venv` of this checkout, or finds it up to date and
# says nothing.
#
#   launch/setup.sh         what a run needs
#   launch/setup.sh test    that, and the tools of tests/run.sh
#
# ANTIPHON_PYTHON names the Python to use; else the best one found is taken.
# Messages go to stderr. Exit codes: 0 ready; 1 the installation failed (start again);
# 2 this machine or its set-up has to be changed first.
set -euo pipefail

readonly NEEDS="needs Linux x86-64 and a 64-bit Python 3.9, 3.10 or 3.11, because \
dm-reverb has wheels for these only"

say() { printf 'antiphon: %s\n' "$*" >&2; }

die() {
  say "${*:2}"
  exit "$1"
}

platform=$(uname -sm)
[[ $platform == "Linux x86_64" ]] || die 2 "$NEEDS; found $platform."

root=$(readlink -f "${BASH_SOURCE[0]}")
root=${root%/*/*}
venv=$root/.venv
# Written last, so it vouches for the whole installation. While it says "unfinished"
# it still marks the directory as one that this script made and may empty.
stamp=$venv/antiphon.stamp
wanted=${1:-runtime}
case $wanted in
  runtime) lock=$root/requirements.lock ;;
  test) lock=$root/requirements-test.lock ;; # holds all of requirements.lock too
  *) die 2 "usage: launch/setup.sh [test]" ;;
esac

# --- Which Python ---------------------------------------------------------------

# Prints the file behind a virtual environment's or pyenv's link: the environment on
# PATH may be the very one that is about to be made anew.
readonly INSPECT='
import sys
sys.path = [entry for entry in sys.path if entry]  # import nothing of the user
version = sys.version.split()[0]
if not (3, 9) <= sys.version_info[:2] <= (3, 11):
    sys.exit(version)
if sys.maxsize < 2**32:
    sys.exit(version + ", 32-bit")
try:
    import ctypes, ensurepip, os, ssl, venv
except ImportError as error:
    sys.exit("%s, %s" % (version, error))
print(os.path.realpath(sys.executable))
'

# Sets `python` when the candidate is fit, or adds to `found` why it is not.
# Only running it tells: pyenv's shim of a version exists also where it is switched off.
try_python() {
  local answer
  if answer=$("$1" -E -s -c "$INSPECT" 2>&1) && [[ -x ${answer##*$'\n'} ]]; then
    python=${answer##*$'\n'}
  else
    answer=${answer:-says nothing}
    found+="${found:+, }$1 (${answer%%$'\n'*})"
    return 1
  fi
}

# 3.10 first: TensorFlow 2.15 on 3.11 leaks memory with every eager tensor.
find_python() {
  local candidate candidates=() found="" version
  for version in 3.10 3.11 3.9; do
    candidates+=("python$version")
    candidates+=("${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version".*/bin/python)
  done
  for candidate in "${candidates[@]}" python3 python; do
    command -v "$candidate" >/dev/null || continue
    try_python "$candidate" && return
  done
  die 2 "$NEEDS; found ${found:-no python on PATH}." \
    "Install Python 3.10, or name one in ANTIPHON_PYTHON."
}

# --- What is installed ----------------------------------------------------------

checksum() {
  cat "$root"/{requirements.lock,requirements-test.lock,setup.py,launch/setup.sh} |
    sha256sum
}

# A finished environment of this very path (its scripts name it: a moved checkout needs
# a new one), on a Python that still exists and is the one asked for, if any.
# Sets `installed`, `sum` and `base` to what the stamp says, for its callers.
is_whole() {
  local place
  [[ -f $stamp && -x $venv/bin/python ]] || return 1
  { read -r installed && read -r sum && read -r base && read -r place; } <"$stamp" ||
    return 1
  [[ $place == "$root" && $base == "${python:-$base}" ]]
}

is_ready() {
  local installed sum base
  is_whole && [[ $sum == "$(checksum)" && $installed =~ ^($wanted|test)$ ]]
}

# --- Installing -----------------------------------------------------------------

# One at a time. Not a file in .venv, which is emptied; pip inherits the lock, so it
# holds even when this script is killed and pip is not.
take_turn() {
  [[ -w $root ]] || die 2 "cannot write to $root, where .venv has to be made."
  exec 9>>"$root/.venv.lock"
  flock -n 9 && return
  say "another start is setting up .venv; waiting for it (up to 30 minutes)."
  flock -w 1800 9 || die 1 "gave up waiting for the other start; look for its pip."
}

make_venv() {
  [[ -f $stamp || -z $(ls -A "$venv" 2>/dev/null) ]] ||
    die 2 "$venv was not made by this script: remove it or move it away, and start again."
  say "making .venv with $python"
  mkdir -p "$venv" && echo unfinished >"$stamp" &&
    find "$venv/" -mindepth 1 -not -name "${stamp##*/}" -delete &&
    "$python" -I -m venv "$venv"
}

pip_install() {
  PIP_USER=0 "$venv/bin/python" -I -m pip install -qq --no-input \
    --disable-pip-version-check "$@"
}

# gym comes as source only. The isolated build that pip would make for it takes the
# newest setuptools whatever the lock says, so the locked one is installed first.
install() {
  pip_install --require-hashes -r <(awk '/^[^ #]/ {on = /^setuptools==/} on' "$lock") &&
    pip_install --require-hashes --no-build-isolation -r "$lock" &&
    pip_install --no-deps --no-build-isolation -e "$root"
}

set_up() {
  local installed sum base
  if is_whole; then
    say "bringing .venv up to date"
    python=$base
    echo unfinished >"$stamp"
  else
    [[ -n $python ]] || find_python
    make_venv || return
    say "installing TensorFlow, TF-Agents and Reverb:" \
      "about a minute, after a download of 600 MB the first time"
  fi
  sum=$(checksum)
  install && printf '%s\n' "$wanted" "$sum" "$python" "$root" >"$stamp"
}

python=""
if [[ -n ${ANTIPHON_PYTHON:-} ]]; then
  # The file that .venv was made with needs no second look, which takes 0.1 s.
  python=$(readlink -f "$(command -v "$ANTIPHON_PYTHON")" || echo none)
  is_ready && exit
  found=""
  try_python "$ANTIPHON_PYTHON" || die 2 "$NEEDS; found ANTIPHON_PYTHON=$found."
fi
is_ready && exit
take_turn
is_ready && exit # the other start has done it
trap 'exit 130' INT
set_up || die 1 "the installation failed, for the reason above. It needs 2 GB of disk" \
  "and a Python package index within reach; put that right and start again."
say "ready"
