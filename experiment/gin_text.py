"""Gin text as it is written: its syntax, its settings, and where each thing stands.

gin itself needs all modules that the text names, and its errors leave out the file of a
syntax error and the line of a macro without a value. This needs no TensorFlow, so the
launcher can refuse wrong text before it starts anything.
"""

from __future__ import annotations

import dataclasses
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gin import config_parser

from experiment import presets, settings
from experiment.errors import ConfigurationError

_SETTINGS = (settings.Replay, settings.Collect, settings.Train, settings.Evaluation)


class Binding(NamedTuple):
    """One line of gin text, those of included files among them.

    Attributes:
      name: What is bound, with gin's scope if it has one.
      parameter: Empty if it is a macro that is bound.
      value: References in it are names.
      references: What the value names, as `@function`, `@called()` and `%macro`.
      place: Where it stands, for messages.
      depth: Files that it is in: 0 is the text itself, 1 a file that it includes.
    """

    name: str
    parameter: str
    value: Any
    references: list[str]
    place: str
    depth: int


class _Reference(str):
    """A name in a value, where a string would be only a string."""

    __slots__ = ()


class _Delegate(config_parser.ParserDelegate):
    """Keeps the names of references, and looks none up."""

    def configurable_reference(self, name: str, evaluate: bool) -> _Reference:
        return _Reference(f"@{name}{'()' if evaluate else ''}")

    def macro(self, name: str) -> _Reference:
        return _Reference(f"%{name}")


def text_of(path: Path, bindings: Sequence[str]) -> str:
    """Text that stands for a file with `bindings`, which win over the file."""
    return "\n".join([f"include {str(path)!r}", *bindings])


def check_settings(text: str) -> None:
    """Refuses gin text whose syntax or settings are wrong, as far as it alone tells.

    Raises:
      ConfigurationError: It is wrong.
    """
    bindings = list(read(text))
    for kind in _SETTINGS:
        names = (kind.__name__, f"{kind.__module__}.{kind.__name__}")
        own = [each for each in bindings if each.name in names]
        values = {each.parameter: each.value for each in own}
        # What is not known yet, or to nobody, is gin's to look up and to refuse.
        if any(each.references for each in own):
            continue
        if set(values) <= {field.name for field in dataclasses.fields(kind)}:
            kind(**values)


def read(text: str, files: Sequence[Path] = ()) -> Iterator[Binding]:
    """Reads text, and the files that it includes.

    Args:
      text: gin text.
      files: The file it is from, if any, after those that include it.

    Yields:
      What it binds, in order.

    Raises:
      ConfigurationError: gin could not read it.
    """
    path = files[-1] if files else None
    try:
        for statement in config_parser.ConfigParser(text, _Delegate()):
            place = _place(path, statement.location)
            if isinstance(statement, config_parser.IncludeStatement):
                yield from _included(Path(statement.filename), files, place)
            elif isinstance(statement, config_parser.BindingStatement):
                name = "/".join(filter(None, (statement.scope, statement.selector)))
                value = statement.value
                named = list(_references(value))
                yield Binding(name, statement.arg_name, value, named, place, len(files))
    except SyntaxError as error:
        reason = str(error.msg).splitlines()[-1].strip()
        where = error.lineno, None, str(error.text)
        raise ConfigurationError(
            f"gin: {reason} ({_place(path, (None, *where))})"
        ) from error
    except tokenize.TokenError as error:
        reason, (line, _) = error.args
        raise ConfigurationError(
            f"gin: {reason}, a bracket or quote is not closed "
            f"({_place(path, (None, line, None, ''))})"
        ) from error


def _references(value: Any) -> Iterator[str]:
    """All names in a value."""
    if isinstance(value, _Reference):
        yield value
    elif isinstance(value, dict):
        yield from _references([*value.keys(), *value.values()])
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _references(part)


def _included(path: Path, files: Sequence[Path], place: str) -> Iterator[Binding]:
    """Reads an included file; what is not there is left to gin to refuse."""
    found = presets.find_file(path)
    if found is None:
        return
    path = found
    if path in files:
        raise ConfigurationError(f"gin: {path} includes itself ({place})")
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"gin: {path} cannot be read ({reason}; included by {place})"
        ) from error
    yield from read(text, [*files, path])


def _place(path: Path | None, location: Any) -> str:
    """A place in a file, or in text that is from none."""
    _, line, _, content = location
    file = f"{path}, " if path else ""
    return f"{file}line {line}: {content.strip()}".rstrip(": ")
