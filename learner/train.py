"""The loop of the learner."""

from __future__ import annotations

from typing import Any, Callable

from experiment.interval import Interval, Rate
from experiment.settings import Train
from learner.trainer import Trainer

_REPORT_S = 1.0


def train(
    trainer: Trainer,
    settings: Train,
    is_running: Callable[[], bool],
    report: Callable[..., None],
    report_from: Callable[[Callable[[], dict[str, Any]]], None],
) -> int:
    """Trains until the run ends or `settings.max_train_steps` are done.

    Args:
      trainer: The agent in training.
      settings: How long to train, those steps before a resume included, and how often
        to publish and to save. An on-policy agent takes all steps of its last batch,
        and is published after each batch.
      is_running: Whether to go on.
      report: Takes figures for the telemetry.
      report_from: Takes what counts more of them, in any thread.

    Returns:
      The train step reached.
    """
    publish = Interval(settings.publish_interval_s)
    save = Interval(settings.checkpoint_interval_s)
    clock, rate = Interval(_REPORT_S), Rate()
    # The telemetry's thread reads a number: a variable may be on a GPU that hangs.
    train_step = trainer.train_step
    rate.update(train_step)
    report(max_train_steps=settings.max_train_steps)
    report_from(lambda: {"updates_per_s": rate.update(train_step)})
    while is_running() and train_step < settings.max_train_steps:
        if publish.due():
            trainer.publish()
        if save.due():
            trainer.save()
        remaining = settings.max_train_steps - train_step
        has_trained = trainer.run(min(settings.steps_per_call, remaining))
        if has_trained and trainer.is_on_policy:
            trainer.publish()  # Nothing else can be collected before.
        train_step = trainer.train_step
        if clock.due():
            report(**trainer.figures())
    return train_step
