"""Says in one sentence who waits for whom while a run stands still, and what helps.

It follows from the rate limiter's counts and the telemetry of all processes. Reverb
counts items; people are told transitions.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from reverb_server.motion import SILENT_S, STILL_S, Growth, Peer, names
from reverb_server.rate_limiter import Waits, keeps_ratio

# Seconds of silence after which a process that the others do without is let go: it may
# have been an actor for some time only.
_MISSED_S = 300.0


@dataclasses.dataclass(frozen=True)
class Stall:
    """Why a run stands still.

    Attributes:
      cause: Stays the same while the figures of the sentence change.
      seconds: How long it has done so.
      sentence: For people.
    """

    cause: str
    seconds: float
    sentence: str


@dataclasses.dataclass(frozen=True)
class Scene:
    """All that is known at one look.

    Attributes:
      table: What `server_info` said of the replay table.
      where: Which of several servers has it, in words; empty for the first.
      has_weights: Whether the learner has published any.
      inserts, samples: Items inserted, items sampled, at all servers.
      waits, held_s: Whom the limiter holds; seconds since it held others, or nobody.
      actors: All ever heard of.
      learners, others: The same; these are eval job and further replay servers.
      address, per_item: host:port of the server; transitions of an item.
    """

    table: Any
    where: str
    has_weights: bool
    inserts: Growth
    samples: Growth
    waits: Waits
    held_s: float
    actors: list[Peer]
    learners: list[Peer]
    others: list[Peer]
    address: str
    per_item: int

    def stall(self) -> Stall | None:
        """Why inserts or samples stand still; None if both go on, or it is too early.

        Whoever the limiter holds is not to blame; if it holds nobody, either may be.
        """
        if not (self.inserts.is_still or self.samples.is_still):
            return None
        is_filling = self.waits is Waits.FOR_FILLING and not self.inserts.is_still
        if is_filling and self._learner:
            return self._filling()
        if self.inserts.is_still and self._acting and not self.has_weights:
            return self._no_weights()
        if self.waits is Waits.SAMPLES and not self.inserts.is_still:
            return self._slow_actors()
        stall = None
        if self.waits in (Waits.INSERTS, Waits.NOBODY) or not self.inserts.is_still:
            stall = self._learner_to_blame(self.waits)
        if stall is None and self.waits is not Waits.INSERTS:
            stall = self._actors_to_blame(self.waits)
        return stall or self._unexplained()

    def missed(self) -> Stall | None:
        """Who is silent or hangs although the others go on."""
        for peer in [*self.actors, *self.learners, *self.others]:
            if peer.is_missed and peer.silent_s < _MISSED_S:
                return Stall(
                    f"missed {peer.name}",
                    peer.silent_s,
                    f"{peer.name} has not been heard of for {peer.silent_s:.0f} s: see "
                    f"{peer.log}",
                )
            if not peer.is_silent and peer.environment_stalled_s >= SILENT_S:
                seconds = peer.environment_stalled_s
                return Stall(
                    f"hanging {peer.name}",
                    seconds,
                    f"the environment of {peer.name} has not answered for "
                    f"{seconds:.0f} s: see {peer.log}",
                )
        return None

    @property
    def _learner(self) -> Peer | None:
        """If it is heard of."""
        return next((peer for peer in self.learners if not peer.is_silent), None)

    @property
    def _acting(self) -> list[Peer]:
        """Actors that are heard of."""
        return [peer for peer in self.actors if not peer.is_silent]

    @property
    def _ratio(self) -> str:
        ratio = self.table.rate_limiter_info.samples_per_insert
        return f"{ratio:g} samples per insert wanted{self.where}"

    @property
    def _filled(self) -> str:
        """How far the table is from its first sample."""
        least = self.table.rate_limiter_info.min_size_to_sample * self.per_item
        size = self.table.current_size * self.per_item
        return f"{size:,} of {least:,} transitions are in the replay table{self.where}"

    @property
    def _no_inserts(self) -> str:
        return f"no actor has inserted for {self.inserts.still_s:.0f} s"

    def _filling(self) -> Stall:
        """All is well, it only takes its time."""
        least = self.table.rate_limiter_info.min_size_to_sample
        seconds = (least - self.table.current_size) / self.inserts.per_s
        return Stall(
            "filling",
            self.samples.still_s,
            f"the learner waits: {self._filled}, actors insert "
            f"{self.inserts.per_s * self.per_item:.3g}/s, about {seconds:,.0f} s more; "
            "more actors or a lower Replay.min_size_to_sample would shorten it",
        )

    def _no_weights(self) -> Stall:
        """Actors have done their random steps, or will not take many more."""
        why = self._why_no_samples() or (
            "not published",
            "it has published none: see logs/learner.log",
        )
        return Stall(
            f"no weights: {why[0]}",
            self.inserts.still_s,
            f"actors wait for the learner's first weights, and none has inserted for "
            f"{self.inserts.still_s:.0f} s, because {why[1]}",
        )

    def _learner_to_blame(self, waits: Waits) -> Stall | None:
        """For samples that stand still, or come too slowly for the limiter."""
        seconds = self.samples.still_s
        if not self.samples.is_still:
            if waits is not Waits.INSERTS:
                return None
            rate = self.samples.per_s * self.per_item
            seconds, took = self.inserts.still_s, f"takes {rate:.3g} samples/s"
            why = (
                "slow learner",
                "it is slower than they are: a lower Replay.samples_per_insert lets "
                "them insert more",
            )
        else:
            took = f"has taken none for {seconds:.0f} s"
            found = self._why_no_samples()
            if found is None:
                return None
            why = found
        who = (
            f"actors wait to insert ({self._ratio}, the learner {took})"
            if waits is Waits.INSERTS
            else f"no sample has been taken for {seconds:.0f} s"
        )
        return Stall(why[0], seconds, f"{who} because {why[1]}")

    def _why_no_samples(self) -> tuple[str, str] | None:
        """Cause and clause; None if the learner is heard of and waits for data."""
        if not self.learners:
            return "no learner", (
                "no learner has been heard of: start one by `python -m learner "
                f"--server_address={self.address}`, or see logs/learner.log"
            )
        learner = self._learner or self.learners[0]
        if learner.is_silent:
            return "silent learner", (
                f"the {learner.name} has not been heard of for {learner.silent_s:.0f} "
                "s: see logs/learner.log"
            )
        if learner.row.get("train_step") is None:
            return "learner starts", (
                f"the {learner.name} has not trained yet: it may be compiling or "
                "restoring a checkpoint, see logs/learner.log"
            )
        if learner.same_s.get("waited_s", 0) < STILL_S:
            return None
        return "busy learner", (
            f"the {learner.name} has stood at train step {learner.row['train_step']:,} "
            f"for {learner.same_s['train_step']:.0f} s without waiting for data (last "
            f"heard of {learner.silent_s:.0f} s ago): it may be saving or compiling, "
            "see logs/learner.log"
        )

    def _actors_to_blame(self, waits: Waits) -> Stall | None:
        """For inserts that stand still."""
        seconds = self.inserts.still_s
        learns = not keeps_ratio(self.table) and not self.samples.is_still
        if not self.inserts.is_still or (learns and seconds < SILENT_S):
            return None
        why = self._why_no_inserts()
        if why is None:
            return None
        return Stall(why[0], seconds, f"{self._starved(waits)} because {why[1]}")

    def _starved(self, waits: Waits) -> str:
        """What stands still if no actor inserts."""
        if not keeps_ratio(self.table) and not self.samples.is_still:
            return f"the learner learns from old data only ({self._no_inserts})"
        if waits is Waits.NOBODY or not self._learner:
            return self._no_inserts
        held = self._filled if waits is Waits.FOR_FILLING else self._ratio
        return f"the learner waits ({held}, {self._no_inserts})"

    def _why_no_inserts(self) -> tuple[str, str] | None:
        """Cause and clause; None if actors are heard of and nothing holds them."""
        start = f"`python -m actor --server_address={self.address}`"
        if not self.actors:
            return "no actor", (
                f"none has been heard of: start one by {start}, or see logs/actor-*.log"
            )
        if not self._acting:
            silent_s = min(peer.silent_s for peer in self.actors)
            return "silent actors", (
                f"nothing has been heard for {silent_s:.0f} s of {names(self.actors)}: "
                f"see logs/actor-*.log, or start another by {start}"
            )
        hanging = [
            peer for peer in self._acting if peer.environment_stalled_s >= STILL_S
        ]
        if not hanging:
            return self._long_windows()
        return "environment", (
            f"the environment of {names(hanging)} has not answered for "
            f"{hanging[0].environment_stalled_s:.0f} s: see {hanging[0].log}, and look "
            "for what the environment waits for"
        )

    def _long_windows(self) -> tuple[str, str] | None:
        """Cause and clause, if actors take steps that make no item yet."""
        same_s = [
            (peer, peer.same_s.get("env_steps", STILL_S)) for peer in self._acting
        ]
        moving = [peer for peer, seconds in same_s if seconds < STILL_S]
        if not moving:
            return None
        return "long windows", (
            f"{names(moving)} still collect{'' if len(moving) > 1 else 's'} what makes "
            f"an item, {self.per_item:,} transitions: fewer would come sooner, by "
            "Replay.transitions_per_item, or by Replay.sequence_length if it is bound"
        )

    def _slow_actors(self) -> Stall:
        """Each insert allows less than a sample, or actors are that slow."""
        return Stall(
            "slow actors",
            self.samples.still_s,
            f"the learner waits ({self._ratio}, actors insert "
            f"{self.inserts.per_s * self.per_item:.3g}/s) because actors are slower "
            "than it: more actors or a higher Replay.samples_per_insert let it train "
            "more",
        )

    def _unexplained(self) -> Stall | None:
        """All that should go on are heard of, and nothing is known to hold them."""
        counts = {"inserts": self.inserts, "samples": self.samples}
        counts.pop(self.waits.held, None)
        # Who was held until just now has had no time to move; silence is seen late.
        still_s = {name: min(counts[name].still_s, self.held_s) for name in counts}
        stands = [name for name in counts if still_s[name] >= SILENT_S + STILL_S]
        if not stands:
            return None
        seconds = min(still_s[name] for name in stands)
        limiter, remedy = self.table.rate_limiter_info, "see the logs of all"
        inserted = limiter.insert_stats.completed * self.per_item
        sampled = limiter.sample_stats.completed * self.per_item
        figures = f"{inserted:,} inserted, {sampled:,} sampled"
        if keeps_ratio(self.table):
            tolerance = (limiter.max_diff - limiter.min_diff) / 2 * self.per_item
            figures += f", {self._ratio}, tolerance {tolerance:,.0f}"
            remedy = "a higher Replay.samples_per_insert_tolerance may help"
        return Stall(
            "unexplained",
            seconds,
            f"{' and '.join(stands)} have stood still for {seconds:.0f} s although "
            f"nobody is missing ({figures}): this is a bug worth reporting; {remedy}",
        )
