#!/usr/bin/env bash
# Makes a certificate authority in a folder, and two certificates that it vouches for.
#
#   launch/tls/certificates.sh FOLDER
#
# `ca.key` makes further ones: keep it off the network once the others are made.
# `server.*` are for the host of the Reverb server, `client.*` for all others.
# Exit code 2: the folder holds an authority already, or openssl is missing.
set -euo pipefail

readonly DAYS=365

die() {
  printf 'certificates.sh: %s\n' "$*" >&2
  exit 2
}

(($# == 1)) || die "usage: launch/tls/certificates.sh FOLDER"
command -v openssl >/dev/null || die "openssl is missing: install it."
[[ ! -e $1/ca.key ]] ||
  die "$1 holds an authority already: remove it, or choose another folder."
umask 077 # keys are for their owner alone
# Nothing counts as made until all is.
mkdir -p "$1/unfinished" && cd "$1/unfinished"

new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)

# The purpose keeps a client's certificate from passing for the server's.
certify() {
  openssl req -new "${new_key[@]}" -keyout "$1.key" -subj "/CN=antiphon-$1" |
    openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days "$DAYS" -out "$1.pem" \
      -extfile <(printf 'extendedKeyUsage=%sAuth\nsubjectAltName=DNS:antiphon-%s\n' "$1" "$1")
}

{
  openssl req -x509 "${new_key[@]}" -days "$DAYS" -keyout ca.key -out ca.pem \
    -subj "/CN=antiphon"
  certify server
  certify client
} 2>openssl.log || die "openssl failed: see $1/unfinished/openssl.log."
mv {server,client}.{pem,key} ca.pem ca.key .. # ca.key last: it says that all are there
cd .. && rm -r unfinished
