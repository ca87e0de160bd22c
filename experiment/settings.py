"""Every number of an experiment that is not the agent's own, validated.

gin builds these from the preset; every role reads the same values from the
run's manifest.
"""

from __future__ import annotations

import dataclasses
import math

import gin

from experiment.errors import ConfigurationError, check_bool, check_number

# "Never", in seconds: 30 years. Waits of more overflow.
_MOST_SECONDS = 1_000_000_000

# Transitions in an item if none of them has to be alone (docs/performance.md).
_USUAL_PER_ITEM = 8

# More than anybody wants; the tolerance would overflow at the largest numbers.
_MOST_SAMPLES = 1_000_000


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Replay:
    """The replay table, and how the learner samples from it.

    Attributes:
      max_size: Transitions kept; the oldest go first.
      min_size_to_sample: Transitions needed before the first sample. At least
        `Collect.initial_collect_steps` are waited for in any case.
      samples_per_insert: How often each transition is sampled on average; None
        leaves actors and learner free of each other.
      samples_per_insert_tolerance: How many samples the ratio may be off before
        one side waits for the other; None computes the smallest safe value.
      batch_size: Transitions in a training batch.
      transitions_per_item: Transitions that travel together as one Reverb item.
        More are faster; each transition stays equally likely to be sampled. None takes
        1 where each has to be alone (priorities, stacks of frames, sequences), else the
        largest of 8, 4, 2 and 1 that divides the batch.
      sequence_length: Steps of a window, for agents that train on sequences, with a
        recurrent network say; None for all others, which know how many they need.
        Batches and samples per insert are counted in windows then, sizes still in
        environment steps.
      sequence_stride: Steps from the beginning of one window to that of the next.
      priority_exponent: How much more often transitions with a large error are sampled:
        P(i) ~ p_i^exponent (prioritized replay, Schaul et al., 2015, arXiv:1511.05952);
        0 samples all alike.
      importance_exponent: How far the bias of that is corrected by the weights of the
        samples, (1 / (N P(i)))^exponent; 1 is wholly. The default is that of Ape-X
        (Horgan et al., 2018, arXiv:1803.00933).
      frame_stack: Frames in each stack that an image of an observation is, along its
        last axis; only the newest is stored. The environment stacks them, e.g.
        `atari_environment.frame_stack` of them. 1 stores observations as they are.
      clip_rewards: Whether only the sign of each reward is stored, and so learned from:
        one learning rate suits many games (Mnih et al., 2015, doi:10.1038/nature14236).
        Returns are of the rewards as they are.
    """

    max_size: int = 100_000
    min_size_to_sample: int = 1_000
    samples_per_insert: float | None = 8.0
    samples_per_insert_tolerance: float | None = None
    batch_size: int = 64
    transitions_per_item: int | None = None
    sequence_length: int | None = None
    sequence_stride: int = 1
    priority_exponent: float = 0.0
    importance_exponent: float = 0.4
    frame_stack: int = 1
    clip_rewards: bool = False

    def __post_init__(self) -> None:
        """Validates; raises `ConfigurationError`."""
        if self.transitions_per_item is not None:
            check_number(
                "Replay.transitions_per_item",
                self.transitions_per_item,
                at_least=1,
                integer=True,
            )
        for name in ("max_size", "min_size_to_sample", "batch_size"):
            check_number(
                f"Replay.{name}", getattr(self, name), at_least=1, integer=True
            )
        check_bool("Replay.clip_rewards", self.clip_rewards)
        self._check_windows()
        ratio, tolerance = self.samples_per_insert, self.samples_per_insert_tolerance
        if ratio is not None:
            check_number(
                "Replay.samples_per_insert", ratio, above=0, at_most=_MOST_SAMPLES
            )
            self._check_turnover(ratio)
        if tolerance is not None:
            check_number("Replay.samples_per_insert_tolerance", tolerance, above=0)
        if self.batch_size % self.windows_per_item:
            raise ConfigurationError(
                f"Replay.transitions_per_item is {self.transitions_per_item}; it must "
                f"divide Replay.batch_size ({self.batch_size})."
            )
        if self.min_size_to_sample > self.max_size:
            raise ConfigurationError(
                f"Replay.min_size_to_sample ({self.min_size_to_sample}) is larger than "
                f"Replay.max_size ({self.max_size}), so nothing could ever be sampled; "
                "lower the first or raise the second."
            )

    def _check_turnover(self, ratio: float) -> None:
        """Refuses fewer samples than one of a whole table that comes and goes."""
        if ratio < 1 / self.max_size:
            raise ConfigurationError(
                f"Replay.samples_per_insert is {ratio}, so of Replay.max_size "
                f"({self.max_size}) transitions not one would be sampled before all "
                f"are gone; it must be >= {1 / self.max_size}, or None for no ratio."
            )

    def _check_windows(self) -> None:
        """What they are, and which are sampled; raises `ConfigurationError`."""
        if self.sequence_length is not None:
            check_number(
                "Replay.sequence_length", self.sequence_length, 2, integer=True
            )
        check_number(
            "Replay.sequence_stride",
            self.sequence_stride,
            at_least=1,
            at_most=(self.sequence_length or 2) - 1,
            integer=True,
        )
        for name in ("priority_exponent", "importance_exponent"):
            check_number(f"Replay.{name}", getattr(self, name), at_least=0, at_most=1)
        if self.is_prioritized and self.windows_per_item != 1:
            raise ConfigurationError(
                f"Replay.priority_exponent is {self.priority_exponent}, but "
                f"{self.transitions_per_item} transitions travel as one item, with one "
                "priority for all; leave Replay.transitions_per_item out, or set it to "
                "1."
            )
        check_number("Replay.frame_stack", self.frame_stack, at_least=1, integer=True)
        if self.frame_stack > 1 and self.windows_per_item != 1:
            raise ConfigurationError(
                f"Replay.frame_stack is {self.frame_stack}, but items of "
                f"{self.transitions_per_item} transitions do not share their frames; "
                "leave Replay.transitions_per_item out, or set it to 1."
            )
        default = type(self).importance_exponent
        if not self.is_prioritized and self.importance_exponent != default:
            raise ConfigurationError(
                f"Replay.importance_exponent is {self.importance_exponent}, but all "
                "samples are alike without priorities; leave it out, or set "
                "Replay.priority_exponent, e.g. to 0.6."
            )

    @property
    def is_prioritized(self) -> bool:
        """Whether priorities decide on what is sampled."""
        return self.priority_exponent > 0

    @property
    def windows_per_item(self) -> int:
        """Transitions or sequences in an item: as set, or as follows from the rest."""
        if self.transitions_per_item is not None:
            return self.transitions_per_item
        alone = self.is_prioritized or self.frame_stack > 1 or self.sequence_length
        return 1 if alone else math.gcd(_USUAL_PER_ITEM, self.batch_size)

    @property
    def env_steps_per_item(self) -> int:
        """Environment steps that one item brings, so that those of a run are known."""
        return self.windows_per_item * self.sequence_stride


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Collect:
    """How actors gather experience.

    Attributes:
      envs_per_actor: Environments in one actor, stepped together.
      initial_collect_steps: Environment steps taken with the random policy, by
        all actors of the run together.
      pull_interval_s: Seconds between two looks for newer weights.
      environment_timeout_s: Seconds after which an actor ends whose environments do not
        come back from a step, a reset or from being made.
    """

    envs_per_actor: int = 16
    initial_collect_steps: int = 1_000
    pull_interval_s: float = 0.25
    environment_timeout_s: float = 300.0

    def __post_init__(self) -> None:
        """Validates; raises `ConfigurationError`."""
        check_number("Collect.envs_per_actor", self.envs_per_actor, 1, integer=True)
        check_number(
            "Collect.initial_collect_steps",
            self.initial_collect_steps,
            at_least=0,
            integer=True,
        )
        for name in ("pull_interval_s", "environment_timeout_s"):
            _check_seconds(f"Collect.{name}", getattr(self, name))


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Train:
    """How the learner learns.

    Attributes:
      max_train_steps: Gradient steps after which the run ends.
      steps_per_call: Gradient steps taken inside one call of the graph.
      jit_compile: Whether XLA compiles the gradient steps; all operations of the agent
        must be known to it.
      mixed_precision: Whether the learner's hidden layers compute in bfloat16, see
        `precision`; actors, eval job and exported policies do not.
      publish_interval_s: Seconds between two pushes of the weights.
      checkpoint_interval_s: Seconds between two checkpoints.
      summary_interval: Gradient steps between two loss summaries.
    """

    max_train_steps: int = 200_000
    steps_per_call: int = 32
    jit_compile: bool = True
    mixed_precision: bool = False
    publish_interval_s: float = 0.25
    checkpoint_interval_s: float = 60.0
    summary_interval: int = 200

    def __post_init__(self) -> None:
        """Validates; raises `ConfigurationError`."""
        for name in ("max_train_steps", "steps_per_call", "summary_interval"):
            check_number(f"Train.{name}", getattr(self, name), 1, integer=True)
        for name in ("jit_compile", "mixed_precision"):
            check_bool(f"Train.{name}", getattr(self, name))
        for name in ("publish_interval_s", "checkpoint_interval_s"):
            _check_seconds(f"Train.{name}", getattr(self, name))


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How the greedy policy is judged.

    Attributes:
      episodes: Episodes of one evaluation; the average is taken over them.
      interval_train_steps: Fewest gradient steps between two evaluations.
      target_return: Average return at which the run ends; None never ends it.
      video_interval_train_steps: Fewest gradient steps between two videos of
        evaluations on the way; None records none but those at the end.
    """

    episodes: int = 10
    interval_train_steps: int = 1_000
    target_return: float | None = None
    video_interval_train_steps: int | None = 100_000

    def __post_init__(self) -> None:
        """Validates; raises `ConfigurationError`."""
        check_number("Evaluation.episodes", self.episodes, 1, integer=True)
        check_number(
            "Evaluation.interval_train_steps",
            self.interval_train_steps,
            1,
            integer=True,
        )
        if self.target_return is not None:
            check_number("Evaluation.target_return", self.target_return)
        if self.video_interval_train_steps is not None:
            check_number(
                "Evaluation.video_interval_train_steps",
                self.video_interval_train_steps,
                1,
                integer=True,
            )


def _check_seconds(name: str, value: float) -> None:
    """Refuses what is no time between two events."""
    check_number(name, value, above=0, at_most=_MOST_SECONDS)
