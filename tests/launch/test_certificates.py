"""launch/tls/certificates.sh: what it leaves behind. Of what use it is: test_tls.py."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.launch.a_run import CHECKOUT

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not installed"
)

# As version 1.1.1: it counts certificates in a file, which it does not make unasked.
_OPENSSL = """#!/usr/bin/env bash
if [[ $* == "x509 -req"* && $* != *-CAcreateserial* ]]; then
  echo "ca.srl: No such file or directory" >&2
  exit 1
fi
exec {real} "$@"
"""


def make(keys: Path, openssl: str) -> subprocess.CompletedProcess[str]:
    """Makes certificates with a program in the place of openssl."""
    programs = keys.parent / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "openssl").write_text(openssl)
    (programs / "openssl").chmod(0o755)
    return subprocess.run(
        [CHECKOUT / "launch" / "tls" / "certificates.sh", keys],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_failure_can_be_followed_by_another_try(tmp_path: Path) -> None:
    """With an old openssl too; the folder then holds what the documents say."""
    keys = tmp_path / "keys"
    failed = make(keys, "#!/bin/sh\ntouch ca.key\necho no >&2\nexit 1\n")
    assert failed.returncode == 2
    log = keys / "unfinished" / "openssl.log"
    assert failed.stderr == f"certificates.sh: openssl failed: see {log}.\n"
    assert log.read_text().startswith("no\n")

    made = make(keys, _OPENSSL.format(real=shutil.which("openssl")))
    assert (made.returncode, made.stderr) == (0, "")
    names = {
        f"{name}.{kind}"
        for name in ("ca", "server", "client")
        for kind in ("pem", "key")
    }
    assert {path.name for path in keys.iterdir()} == names
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys.iterdir())
