"""`--isolate`: a run in a network of its own, which nobody outside reaches.

Reverb listens on all interfaces, without a password. In a network namespace of its own
there is one interface, the loopback, and only the run's own processes share it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

from absl import flags

from experiment import process
from experiment.errors import EXIT_CONFIGURATION

ISOLATE = flags.DEFINE_boolean(
    "isolate", False, "Keep the run off the network: nobody else reaches its server."
)

_LIBC = ctypes.CDLL(None, use_errno=True)

# From linux/sched.h.
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000

# From linux/sockios.h and linux/if.h; a struct ifreq is a name and 24 bytes.
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_IFREQ = "16sh22x"


def enter_if_asked() -> None:
    """Isolates this process and its children to be, if `--isolate` is given.

    To be called before anything is imported that starts a thread, as NumPy does: the
    kernel lets no process with several of them into a user namespace.
    """
    with contextlib.suppress(flags.Error):  # It is told when all flags are read.
        flags.FLAGS(sys.argv, known_only=True)
        if ISOLATE.value:
            _enter_or_fail()


def _enter_or_fail() -> None:
    try:
        enter()
    except OSError as error:
        process.fail(
            "--isolate needs a network namespace, and the system does not let this "
            f"user make one ({error.strerror}); start without it, behind a firewall "
            "(docs/security.md), or have user namespaces allowed.",
            EXIT_CONFIGURATION,
        )


def enter() -> None:
    """Moves this process, which must have one thread, into a network of its own.

    Root may do so at once. Others need a user namespace around it, in which they keep
    their own number: all files have the owner that they would have had.

    Raises:
      OSError: The system does not allow it.
    """
    user, group = os.geteuid(), os.getegid()
    try:
        _unshare(_CLONE_NEWNET)
    except PermissionError:
        _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        own = Path("/proc/self")
        (own / "setgroups").write_text("deny")  # The kernel asks for this first.
        (own / "uid_map").write_text(f"{user} {user} 1")
        (own / "gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack(_IFREQ, b"lo", _IFF_UP))


def _unshare(kinds: int) -> None:
    if _LIBC.unshare(kinds):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
