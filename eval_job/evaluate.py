"""The loop of the eval job."""

from __future__ import annotations

import logging
from typing import Callable

from tf_agents.experimental.distributed import reverb_variable_container
from tf_agents.typing import types

from eval_job.judge import Judge
from experiment import run_status
from reverb_server.membership import Membership
from reverb_server.weights import WeightsPuller, assign

# Seconds without new weights until the log says so.
_PATIENCE_S = 30.0


def evaluate_run(
    judge: Judge,
    weights: WeightsPuller,
    interval_train_steps: int,
    is_running: Callable[[], bool],
) -> bool:
    """Judges the newest weights again and again.

    Args:
      judge: Plays, and keeps the record.
      weights: Frozen while they are judged.
      interval_train_steps: Evaluations happen when the train step passes a multiple
        of it; those that are passed during an evaluation are left out.
      is_running: Whether to go on.

    Returns:
      Whether the target was reached; the agent then has the weights that reached it.
    """
    next_step = 0
    while is_running():
        if not weights.wait_for(next_step, is_running, _PATIENCE_S):
            if is_running():
                logging.warning(
                    "no weights of train step %d or later for %.0f s: is the learner "
                    "waiting for experience? See its log.",
                    next_step,
                    _PATIENCE_S,
                )
            continue
        weights.take()
        row = judge.judge(weights.train_step)
        if judge.reaches_target(row):
            return True
        next_step = (row.train_step // interval_train_steps + 1) * interval_train_steps
    return False


def finish_run(
    judge: Judge, run: Membership, variables: types.NestedVariable, last_judged: int
) -> None:
    """Ends the run, unless it has ended; judges the weights that it ended with.

    Args:
      judge: Plays, and keeps the record.
      run: A run that has ended, or whose target was reached.
      variables: Those judged last; they get the final weights.
      last_judged: Train step of the weights judged last; not judged again.
    """
    _, weights = run.end(run_status.TARGET_REACHED, variables)
    assign(variables, weights)
    train_step = int(weights[reverb_variable_container.TRAIN_STEP_KEY])
    if train_step != last_judged:
        judge.judge(train_step)
