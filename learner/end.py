"""The end of a run, as the learner sees it."""

from __future__ import annotations

from learner.trainer import Trainer
from reverb_server import run_tables
from reverb_server.membership import Membership


def end_run(trainer: Trainer, run: Membership) -> None:
    """Ends the run, unless it has ended; takes over the weights it ended with.

    Args:
      trainer: Its weights are the result if nobody else has ended the run.
      run: The run.
    """
    run_tables.announce_end(run.address, run_tables.MAX_TRAIN_STEPS, trainer.weights)
    trainer.adopt(run_tables.read_end(run.address)[1])
