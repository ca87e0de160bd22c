"""A role's part in a run: it joins, tells how it is doing, and hears of the end."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any, Callable

import reverb
from tf_agents.typing import types

from experiment import process
from experiment.errors import EXIT_CONFIGURATION, one_line
from experiment.interval import Interval
from reverb_server import address as address_lib
from reverb_server import figures, keepalive, run_tables, tables
from reverb_server import shard as shard_lib
from reverb_server.address import SERVER_TIMEOUT_S
from reverb_server.replay_store import ReplayStore
from reverb_server.resources import Resources
from reverb_server.shard import Shard
from reverb_server.telemetry import TelemetrySender

# Seconds between two looks at the server, between two telemetry rows, and until new
# connections are probed.
_POLL_S = 0.5
_TELEMETRY_S = 2.0
_PROBES_S = 2.0

# Seconds without an answer of the server after which the log says so.
_SILENCE_S = 3.0


class Membership:
    """Connects a role to its run, and watches the run in the background.

    A server that dies and comes back is the same run if it says so: Reverb's clients
    connect again by themselves.

    Attributes:
      address: host:port of the server.
      manifest: The run's identity and configuration; a newer one when the server has
        come back, or the run was scaled.
      client: For the caller's own short calls.
      shards: The further replay servers, for an actor and the learner.
    """

    def __init__(
        self, address: str, role: str, stop: process.StopSignal, task: int = 0
    ) -> None:
        """Joins; see `address.connect` and `run_tables.read_manifest` for errors.

        Args:
          address: host:port of the server.
          role: Name of the role.
          stop: Ends the wait for the server, and `is_running`.
          task: Number of the process within its role.
        """
        self.address = address
        self._role = role
        self._stop = stop
        try:
            self.client, info = address_lib.connect(address, stop.is_set)
        except ConnectionAbortedError:
            process.end_process(stop.exit_code)
        self.manifest = run_tables.read_manifest(self.client, address, info)
        self.shards: list[Shard] = []
        if role in (figures.ACTOR, figures.LEARNER):
            self._await_shards()
            self.shards = shard_lib.watch(self.manifest, address)
        servers = (address, *(each.address for each in self.shards))
        self._ports = {int(each.rpartition(":")[2]) for each in servers}
        self._identity = run_tables.Identity.of(self.manifest)
        self._manifests = run_tables.manifests(info)
        self._inserted_items = _inserted(info)
        self._figures: dict[str, Any] = {}
        self._count: Callable[[], dict[str, Any]] = dict
        self._resources = Resources()
        self._sender = TelemetrySender(reverb.Client(address), role, task)
        self._ended = threading.Event()
        self._on_return: list[Callable[[], None]] = []
        self._end: tuple[str, types.NestedTensor] | None = None
        self._leaving = threading.Event()
        self._store: ReplayStore | None = None
        self._thread = process.start_thread("membership", self._watch)
        logging.info("%s joined run %s at %s", role, self.manifest.run_id, address)

    def is_running(self) -> bool:
        """Whether the run goes on and nobody asked this process to stop."""
        return not (self._stop.is_set() or self._ended.is_set())

    def run_has_ended(self) -> bool:
        """Whether the end of the run was announced."""
        return self._ended.is_set()

    def is_lost(self, shard: Shard) -> bool:
        """Whether a further replay server is, for this process or for the learner."""
        return shard.is_lost or shard.number in self.manifest.lost_shards

    def env_steps(self, env_steps_per_item: int) -> int:
        """Environment steps of the run, in transitions, as of the last look."""
        items = self._inserted_items + sum(each.inserted for each in self.shards)
        return self.manifest.earlier_env_steps + items * env_steps_per_item

    def on_return(self, callback: Callable[[], None]) -> None:
        """Lets a callback be called, in a thread, whenever the server has come back."""
        self._on_return.append(callback)

    def report(self, **changed: Any) -> None:
        """Sets figures to be sent with the next telemetry rows."""
        self._figures = {**self._figures, **changed}

    def report_from(self, count: Callable[[], dict[str, Any]]) -> None:
        """Lets figures be counted when they are sent: those of who is blocked too.

        Args:
          count: Called in a thread, for each row.
        """
        self._count = count

    def end(
        self, status: str, weights: types.NestedTensor
    ) -> tuple[str, types.NestedTensor]:
        """Ends the run, unless it has ended.

        Args:
          status: Why, see `run_status`.
          weights: What the run has come to, as `tables.weights_of` has them.

        Returns:
          Why it has ended, and the weights it has ended with.

        Raises:
          TimeoutError: The server is gone for good; Reverb's own errors mean the same.
        """
        deadline = time.monotonic() + SERVER_TIMEOUT_S
        while self._end is None:
            try:
                run_tables.announce_end(self.address, status, weights)
                self._end = run_tables.read_end(self.address)
            except (TimeoutError, *address_lib.NO_ANSWER) as error:
                if time.monotonic() > deadline:
                    raise
                reason = one_line(error)
                logging.warning("the end is not told yet, trying again: %s", reason)
                self._stop.wait(_POLL_S)
        return self._end

    def store_replay(self, train_step: int) -> str | None:
        """Lets Reverb write the replay tables; see `ReplayStore.store`."""
        if self._store is None:
            self._store = ReplayStore(self.client, self._sender, self.shards)
        return self._store.store(train_step, self._stop)

    def leave(self) -> None:
        """Sends the last figures, and ends the background thread."""
        self._leaving.set()
        self._thread.join(timeout=5)
        shard_lib.leave(self.shards)
        self.report(has_left=True)
        self._send()

    def _await_shards(self) -> None:
        """Waits until it is known where all replay servers are.

        Raises:
          TimeoutError: Some were not heard of in time.
        """
        deadline = time.monotonic() + SERVER_TIMEOUT_S
        if not all(self.manifest.replay_shards):
            logging.info(
                "waiting up to %.0f s for all replay servers", SERVER_TIMEOUT_S
            )
        while not all(self.manifest.replay_shards):
            if time.monotonic() > deadline:
                raise TimeoutError(shard_lib.missing(self.manifest, self.address))
            if self._stop.wait(_POLL_S):
                process.end_process(self._stop.exit_code)
            info = address_lib.ask(self.client)
            self.manifest = run_tables.read_manifest(self.client, self.address, info)

    def _watch(self) -> None:
        telemetry, probes = Interval(_TELEMETRY_S), Interval(_PROBES_S)
        last_answer, is_lost = time.monotonic(), False
        while not self._leaving.wait(_POLL_S):
            if probes.due():
                keepalive.keep_alive(self._ports)
            silent_s = time.monotonic() - last_answer
            try:
                info = self.client.server_info(timeout=2)
            except address_lib.NO_ANSWER:
                is_lost = self._note_silence(silent_s, is_lost)
                continue
            if is_lost:
                logging.warning("the server answers again after %.0f s", silent_s)
            last_answer, is_lost = time.monotonic(), False
            # It may be gone again by now.
            with contextlib.suppress(TimeoutError, *address_lib.NO_ANSWER):
                self._look(info)
            if telemetry.due():
                self._send()

    def _note_silence(self, silent_s: float, is_noted: bool) -> bool:
        """Logs a silence once; returns whether it has. Ends the process if too long."""
        if silent_s > SERVER_TIMEOUT_S and not self._leaving.is_set():
            process.fail(
                f"the Reverb server at {self.address} has not answered for "
                f"{silent_s:.0f} s; see its log, and start the run again with --resume."
            )
        if silent_s > _SILENCE_S and not is_noted:
            logging.warning(
                "the server at %s does not answer: waiting up to %.0f s for its return",
                self.address,
                SERVER_TIMEOUT_S,
            )
        return is_noted or silent_s > _SILENCE_S

    def _look(self, info: dict[str, Any]) -> None:
        """Takes notice of what the server holds."""
        found = run_tables.Identity.read(info)
        if found != self._identity and not self._leaving.is_set():
            self._meet_again(found, info)
        elif run_tables.manifests(info) != self._manifests:  # The run was scaled.
            self.manifest = run_tables.read_manifest(self.client, self.address, info)
        self._require_same_places()
        self._manifests = run_tables.manifests(info)
        self._inserted_items = _inserted(info)
        if info[tables.END].current_size:
            if self._end is None:
                self._end = run_tables.read_end(self.address)
            self._ended.set()
        elif self._end:  # A server that came back does not know of it.
            run_tables.announce_end(self.address, *self._end)

    def _require_same_places(self) -> None:
        """Ends a process that knows further servers where they are no more.

        A run that is resumed by hand while others of it live may have them elsewhere.
        """
        for shard in self.shards:
            known = self.manifest.replay_shards[shard.number - 1]
            moved = known and address_lib.beside(self.address, known) != shard.address
            if moved and not self._leaving.is_set():
                process.fail(
                    f"{shard} is at {known} now, as the server at {self.address} says; "
                    f"start this {self._role} again."
                )

    def _meet_again(
        self, found: run_tables.Identity | None, info: dict[str, Any]
    ) -> None:
        """Looks whether a server that came back holds the same run."""
        if found is None or found.run_id != self.manifest.run_id:
            process.fail(
                f"the server at {self.address} belongs to run "
                f"{found.run_id if found else 'none of ours'} now, but this "
                f"{self._role} to run {self.manifest.run_id}; end this process, or "
                "start that run's server again.",
                EXIT_CONFIGURATION,
            )
            return
        self.manifest = run_tables.read_manifest(self.client, self.address, info)
        self._identity = found
        restored_step = self.manifest.replay_train_step
        logging.warning(
            "the server has come back (start %d of it): the replay table %s",
            found.server_start,
            "began empty"
            if restored_step is None
            else f"is restored, of train step {restored_step}",
        )
        for callback in self._on_return:
            callback()

    def _send(self) -> None:
        row = {**self._figures, **self._count(), **self._resources.figures()}
        if self.shards:
            row["lost_shards"] = [each.number for each in self.shards if each.is_lost]
        self._sender.send(row)


def _inserted(info: dict[str, Any]) -> int:
    """Items ever inserted into the replay table."""
    return int(info[tables.REPLAY].rate_limiter_info.insert_stats.completed)
