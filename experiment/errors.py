"""Exit codes, and the one error that means "the user has to change something"."""

from __future__ import annotations

import math

# Exit codes of every process of the project.
EXIT_FINISHED = 0
EXIT_FAILED = 1
EXIT_CONFIGURATION = 2  # Never worth a restart: only the user can mend it.

# Begins the one line in which a process says why it ended.
FATAL_MARK = "fatal: "

# gin takes whole numbers of any size; TensorFlow and Reverb count in 64 bits.
_MAX_WHOLE = 2**63 - 1


class ConfigurationError(ValueError):
    """A setting is wrong. Its text is one line: what, got, allowed, remedy."""


def check_number(
    name: str,
    value: int | float,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    integer: bool = False,
) -> None:
    """Refuses a number that is out of range or of the wrong type.

    gin checks no types, so everything a preset can bind comes through here.

    Args:
      name: What the user wrote, e.g. `Replay.batch_size`.
      value: What it was set to.
      at_least: Smallest legal value, if any.
      above: Values must be larger than this, if given.
      at_most: Largest legal value, if any.
      integer: Whether only whole numbers are legal.

    Raises:
      ConfigurationError: The value is not legal.
    """
    if isinstance(value, int) and abs(value) > _MAX_WHOLE:
        at_least = -_MAX_WHOLE if at_least is None else at_least
        at_most = _MAX_WHOLE if at_most is None else at_most
    kind = "a whole number" if integer else "a number"
    bounds = [
        text
        for text, bound in (
            (f">= {at_least}", at_least),
            (f"> {above}", above),
            (f"<= {at_most}", at_most),
        )
        if bound is not None
    ]
    allowed = " ".join([kind, " and ".join(bounds)]).strip()
    types = (int,) if integer else (int, float)
    legal = (
        isinstance(value, types)
        and not isinstance(value, bool)
        and (isinstance(value, int) or math.isfinite(value))
        and (at_least is None or value >= at_least)
        and (above is None or value > above)
        and (at_most is None or value <= at_most)
    )
    if not legal:
        raise ConfigurationError(f"{name} is {value!r}; it must be {allowed}.")
