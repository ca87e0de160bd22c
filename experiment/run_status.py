"""How a run can end: the `status` of `result.json`, and of the `end` table."""

TARGET_REACHED = "target_reached"
MAX_TRAIN_STEPS = "max_train_steps"
INTERRUPTED = "interrupted"  # By a signal; never in the `end` table.
FAILED = "failed"  # Nor this one.
