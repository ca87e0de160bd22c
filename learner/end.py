"""The end of a run, as the learner sees it."""

from __future__ import annotations

from experiment import run_status
from learner.trainer import Trainer
from reverb_server.membership import Membership


def end_run(trainer: Trainer, run: Membership) -> None:
    """Ends the run, unless it has ended; takes over the weights it ended with.

    Args:
      trainer: Its weights are the result if nobody else has ended the run.
      run: The run.
    """
    _, weights = run.end(run_status.MAX_TRAIN_STEPS, trainer.weights)
    trainer.adopt(weights)
