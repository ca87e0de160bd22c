"""Exit codes, and the one error that means "the user has to change something"."""

from __future__ import annotations

import math
import re
from collections.abc import Collection

# Exit codes of every process of the project.
EXIT_FINISHED = 0
EXIT_FAILED = 1
EXIT_CONFIGURATION = 2  # Never worth a restart: only the user can mend it.
EXIT_RESTART = 75  # Please start me again at once (EX_TEMPFAIL of sysexits.h).

# Begins the one line in which a process says why it ended.
FATAL_MARK = "fatal: "

# gin takes whole numbers of any size; TensorFlow and Reverb count in 64 bits.
_MAX_WHOLE = 2**63 - 1


class ConfigurationError(ValueError):
    """A setting is wrong. Its text is one line: what, got, allowed, remedy."""


# Seconds that a process waits for what others have to do, before it gives up. Long
# enough for somebody to look, and to start what is missing.
IDLE_TIMEOUT_S = 1_800.0


class IdleError(ConfigurationError):
    """A process has had nothing to do for so long that nothing will come any more."""

    def __init__(self, waited_for: str) -> None:
        """Args: waited_for: What did not come, and where to look."""
        super().__init__(
            f"waited {IDLE_TIMEOUT_S / 60:.0f} minutes in vain for {waited_for}. What "
            "was learned is stored: go on by --resume once that is mended."
        )


class DivergedError(ConfigurationError):
    """Learning came to numbers that are not finite, and would again."""

    def __init__(self, what: str, train_step: int) -> None:
        """Args: what: Which numbers; train_step: When."""
        super().__init__(
            f"{what} at train step {train_step}: a smaller learning rate, or the "
            "agent's gradient_clipping, may help; look for infinite rewards and "
            "observations too. The last checkpoint is from before."
        )


def one_line(error: Exception) -> str:
    """The first line of an error's text, without what TensorFlow puts around it."""
    text = str(error).partition("\n")[0]
    text = re.sub(r"\{\{function_node .*?\}\} ?| \[Op:\w*\].*", "", text)
    return text or type(error).__name__


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


def check_bool(name: str, value: bool) -> None:
    """Refuses what is neither True nor False.

    Raises:
      ConfigurationError: It is something else.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} is {value!r}; it must be True or False.")


def check_one_of(name: str, value: str, allowed: Collection[str]) -> None:
    """Refuses a word that is not one of some.

    Raises:
      ConfigurationError: It is not.
    """
    if not isinstance(value, str) or value not in allowed:
        raise ConfigurationError(
            f"{name} is {value!r}; it must be one of {sorted(allowed)}."
        )
