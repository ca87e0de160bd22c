#!/usr/bin/env bash
# Waits until the server of the run takes connections:
#   launch/await-server.sh HOST PORT
# A role itself waits for a minute; a server on a busy or new node may need longer.
# Exit code 3: nobody did for half an hour. Then another try is in vain too: the run has
# ended, or somebody has to see to the server.
set -euo pipefail

readonly WAIT_S=1800 SAY_EVERY_S=30

next=0
while ((SECONDS < WAIT_S)); do
  # Where packets are dropped, a connection is given up after two minutes only.
  # shellcheck disable=SC2016
  timeout 2 bash -c ': <"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null && exit
  if ((SECONDS >= next)); then
    echo "nobody answers at $1:$2 since $SECONDS s"
    next=$((SECONDS + SAY_EVERY_S))
  fi
  sleep 1
done
echo "gave up: the run has ended, or see the logs of $1"
exit 3
