"""Factories that gin binds, checked when they are bound, not when they are called."""

from __future__ import annotations

import inspect
from typing import Any

import gin

from experiment.errors import ConfigurationError

_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)
_UNKNOWN_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def check_factory(name: str, factory: Any, takes: int) -> None:
    """Refuses what is no function, or cannot be called as it will be.

    Args:
      name: What the user wrote, e.g. `Experiment.agent`.
      factory: What it was set to.
      takes: How many positional arguments it will be given.

    Raises:
      ConfigurationError: The factory does not fit.
    """
    if not callable(factory):
        raise ConfigurationError(
            f"{name} is {factory!r}; it must be a function, bound by its name with @ "
            "before it and no brackets after it."
        )
    parameters = list(inspect.signature(factory).parameters.values())
    positional = [each for each in parameters if each.kind in _POSITIONAL]
    is_open = any(each.kind is each.VAR_POSITIONAL for each in parameters)
    shown = f"{name} is @{getattr(factory, '__name__', factory)}, which"
    if len(positional) < takes and not is_open:
        raise ConfigurationError(
            f"{shown} takes {len(positional)} arguments; it must take {takes}."
        )
    rest = [each for each in parameters if each not in positional[:takes]]
    missing = [
        each.name
        for each in rest
        if each.kind not in _UNKNOWN_NUMBER
        and (each.default is each.empty or each.default is gin.REQUIRED)
    ]
    unbound = sorted(set(missing) - _bound(factory))
    if unbound:
        raise ConfigurationError(
            f"{shown} will be called with {takes} arguments and needs "
            f"{', '.join(unbound)} too; take away brackets, or bind what is missing."
        )


def _bound(factory: Any) -> set[str]:
    """The parameters that gin will add to a call."""
    try:
        return set(gin.get_bindings(factory, resolve_references=False))
    except ValueError:  # It is not known to gin, or in a scope of gin's.
        return set()
