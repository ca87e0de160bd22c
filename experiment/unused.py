"""Bindings of the user's that nothing takes: a run of them is not what was meant.

gin takes bindings of all functions that it knows, whether they are called or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import gin

from experiment import changes, gin_text
from experiment.errors import ConfigurationError

# Those written for this very run; of the text that gin holds now, as gin's are.
_own: list[gin_text.Binding] = []

# Of the functions in it, the server calls all that a run calls, while it builds.
_PROJECT = "experiment."


def remember(bindings: Iterable[gin_text.Binding]) -> None:
    """Keeps what the user has bound for this run, until the next text is loaded.

    Left out are files that are included, which serve several purposes; and the file
    itself if a name that is bound on top of it, as in `Experiment.agent = @sac_agent`,
    may leave parts of it without use.

    Args:
      bindings: Of the user's text.
    """
    lines = list(bindings)
    is_changed = any(each.references for each in lines if not each.depth)
    deepest = 0 if is_changed else 1
    _own[:] = [each for each in lines if each.parameter and each.depth <= deepest]


def require_used() -> None:
    """Refuses what nothing takes, once all is built that a server builds.

    Functions of others may be called later, by other roles: see `find`.

    Raises:
      ConfigurationError: A binding of the project's own would do nothing.
    """
    for each in find():
        if gin.get_configurable(_selector(each)).__module__.startswith(_PROJECT):
            raise ConfigurationError(
                f"{each.name}.{each.parameter} is bound ({each.place}), but nothing in "
                f"this run takes it{_in_place_of(each)}; leave it out."
            )


def find() -> Iterator[gin_text.Binding]:
    """The user's bindings that nothing has taken so far."""
    bound = [_split(name) for name in changes.values(gin.config_str())]
    used = [_split(name) for name in changes.values(gin.operative_config_str())]
    for each in _own:
        own = _split(f"{each.name}.{each.parameter}")
        if any(_is_of(own, *it) and it[0] == own[0] for it in bound) and not any(
            _is_of(own, *it) for it in used
        ):
            yield each


def _split(name: str) -> tuple[str, str]:
    """Scope, empty if there is none, and the rest."""
    scope, _, rest = name.rpartition("/")
    return scope, rest


def _is_of(own: tuple[str, str], scope: str, name: str) -> bool:
    """Whether a name as gin writes it, the shortest in its scope, is the user's.

    Args:
      own: Scope and name that the user has written.
      scope: Of a call; what is bound in a scope is taken in all scopes inside of it.
      name: Of the function and its parameter.
    """
    is_inside = not own[0] or f"{scope}/".startswith(f"{own[0]}/")
    return is_inside and f".{own[1]}".endswith(f".{name}")


def _selector(binding: gin_text.Binding) -> str:
    """The function's name without a scope."""
    return _split(binding.name)[1]


def _in_place_of(binding: gin_text.Binding) -> str:
    """Functions of the same kind, by the last word of their names, that are called."""
    kind = f"_{_selector(binding).rpartition('_')[2]}"
    used = (_split(name)[1] for name in changes.values(gin.operative_config_str()))
    called = {name.rpartition(".")[0] for name in used}
    others = sorted(
        name for name in called if name.endswith(kind) and name != _selector(binding)
    )
    return f": {', '.join(others)} is called instead" if others else ""
