"""HTTP proxies, which gRPC would use even for this machine's own addresses."""

from __future__ import annotations

import logging
import os

# gRPC obeys these, even for 127.0.0.1; and the first of the others that is set says
# which hosts are exempt.
_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
_EXEMPT = ("no_grpc_proxy", "no_proxy")

LOCAL_HOSTS = ("localhost", "127.0.0.1")


def variables() -> list[str]:
    """The variables of the environment that name a proxy."""
    return [name for name in _VARIABLES if os.environ.get(name)]


def exempt() -> tuple[str, list[str]]:
    """The variable that gRPC reads for hosts without a proxy, and these hosts."""
    first, second = _EXEMPT
    variable = first if first in os.environ else second
    hosts = os.environ.get(variable, "").split(",")
    return variable, [name for name in hosts if name]


def bypass(host: str) -> None:
    """Keeps gRPC from sending a run's traffic through an HTTP proxy."""
    variable, hosts = exempt()
    needed = [host.strip("[]"), *LOCAL_HOSTS]
    if set(needed) <= set(hosts):
        return
    os.environ[variable] = ",".join(dict.fromkeys([*hosts, *needed]))
    if variables():
        logging.info(
            "%s is set; passing it by to reach %s, by %s=%s",
            ", ".join(variables()),
            host,
            variable,
            os.environ[variable],
        )
