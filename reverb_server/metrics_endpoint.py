"""The newest figures of all processes of a run, for Prometheus to read."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from experiment.errors import ConfigurationError
from experiment.interval import Interval
from experiment.manifest import Manifest
from reverb_server import figures
from reverb_server.figures import Figure, Kind
from reverb_server.port import cannot_be_served
from reverb_server.telemetry import SNAPSHOT

# Seconds after which a process that says nothing is not there any more.
_SILENCE_S = 60.0

# Seconds after which a port that another process had is tried again.
_RETRY_S = 10.0

# Seconds that a last answer may take.
_CLOSE_S = 5.0

# Prometheus wants base units, and their names at the end: the ending of a figure with
# this unit, what stands there instead, and by what its value is multiplied.
_UNITS = {
    "s": ("_s", "_seconds", 1.0),
    "1/s": ("_per_s", "_per_second", 1.0),
    "MiB": ("_mb", "_bytes", 2.0**20),
    "% of a core": ("_percent", "_cores", 0.01),
}


def exported(role: str) -> list[Figure]:
    """The figures of a role that Prometheus gets."""
    return [
        each
        for each in figures.FIGURES
        if role in each.roles and each.kind is not Kind.TEXT
    ]


def metric_name(role: str, figure: Figure) -> str:
    """By what name Prometheus gets a figure of a role."""
    ending, unit, _ = _UNITS.get(figure.unit, ("", "", 1.0))
    total = "_total" if figure.kind is Kind.COUNT else ""
    return f"antiphon_{role}_{figure.name.removesuffix(ending)}{unit}{total}"


class MetricsEndpoint(Collector):
    """Answers at `/metrics` with the newest row of each process that is still there.

    Attributes:
      problem: Why it does not answer for now; None if it does.
    """

    def __init__(
        self, host: str, port: int, manifest: Manifest, can_wait: bool = False
    ) -> None:
        """Begins to serve, in threads of its own.

        Args:
          host: Name or address of this machine.
          port: Port there.
          manifest: Of the run.
          can_wait: Whether to try again now and then, if it cannot be served there.

        Raises:
          ConfigurationError: It cannot be served there.
        """
        self._address = host, port
        self._manifest = manifest
        self._lock = threading.Lock()
        self._newest: dict[tuple[Any, ...], tuple[float, dict[str, Any]]] = {}
        self._serving: tuple[WSGIServer, threading.Thread] | None = None
        self._retry = Interval(_RETRY_S)
        self.problem: str | None = None
        if can_wait:
            self._try_to_serve()
        else:
            self._serve()

    def _serve(self) -> None:
        host, port = self._address
        registry = CollectorRegistry()
        registry.register(self)
        try:
            self._serving = start_http_server(port, host, registry)
        except OSError as error:
            raise cannot_be_served(f"--metrics_port {port} at {host}", error) from error
        logging.info("figures for Prometheus at http://%s:%d/metrics", host, port)

    def _try_to_serve(self) -> None:
        try:
            self._serve()
            self.problem = None
        except ConfigurationError as error:
            if self.problem is None:
                logging.error("no figures for Prometheus for now: %s", error)  # noqa: TRY400
            self.problem = str(error)

    def write(self, rows: Sequence[dict[str, Any]]) -> None:
        """Takes rows that came just now, as `figures.FIGURES` describes them."""
        if self._serving is None and self._retry.due():
            self._try_to_serve()
        now = time.monotonic()
        with self._lock:
            for row in rows:
                if row["role"] in figures.ALL_PROCESSES and SNAPSHOT not in row:
                    key = (row["role"], row["task"], row["host"])
                    self._newest[key] = (now, row)
            self._newest = {
                key: (heard_at, row)
                for key, (heard_at, row) in self._newest.items()
                if now - heard_at < _SILENCE_S and not row.get("has_left")
            }

    def collect(self) -> Iterator[Metric]:
        """What Prometheus is told; called by the library, in a thread of its own."""
        run = self._manifest
        info = {
            "run_id": run.run_id,
            "gin_file": run.gin_file,
            "seed": str(run.seed),
        }
        yield InfoMetricFamily("antiphon_run", "Which run this is.", value=info)
        with self._lock:
            rows = [row for _, row in self._newest.values()]
        for role in figures.ALL_PROCESSES:
            of_role = [row for row in rows if row["role"] == role]
            for figure in exported(role) if of_role else ():
                yield _family(role, figure, of_role)

    def close(self) -> None:
        """Ends the serving."""
        if self._serving:
            server, thread = self._serving
            server.shutdown()
            server.server_close()
            thread.join(timeout=_CLOSE_S)


def _family(role: str, figure: Figure, rows: Sequence[dict[str, Any]]) -> Metric:
    """One figure of all processes of a role."""
    family_of = CounterMetricFamily if figure.kind is Kind.COUNT else GaugeMetricFamily
    *_, factor = _UNITS.get(figure.unit, (1.0,))
    name = metric_name(role, figure)
    family = family_of(name, figure.meaning, labels=("task", "host"))
    for row in rows:
        value: float | None = float(row.get(figure.name) is not None)
        if figure.kind is not Kind.ALARM:
            value = figures.number(row, figure)
        if value is not None:
            family.add_metric([str(row["task"]), row["host"]], value * factor)
    return family
