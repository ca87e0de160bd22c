"""Which namespaces the tests may make here: what needs one they may not is skipped."""

from __future__ import annotations

import functools
import os
import subprocess


@functools.cache
def may_unshare(*kinds: str) -> bool:
    """Whether a program may be started in such namespaces.

    Args:
      *kinds: As `unshare` has them, e.g. `--net`.
    """
    command = ["unshare", *kinds, "true"]
    try:
        return not subprocess.run(command, capture_output=True, check=False).returncode
    except OSError:
        return False


def may_isolate() -> bool:
    """Whether `--isolate` works for this user."""
    return may_unshare("--net") or (os.geteuid() != 0 and may_unshare("-r", "--net"))
