"""Where code of the user's own has failed: its file and line, not a stack of ours."""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from experiment.errors import one_line

_CHECKOUT = Path(__file__).resolve().parents[1]

# Of the code of others: Python's own, installed packages, and ours.
_LIBRARIES = (
    *{Path(path).resolve() for path in sysconfig.get_paths().values()},
    *(
        _CHECKOUT / package
        for package in (
            "actor",
            "benchmarks",
            "eval_job",
            "experiment",
            "launch",
            "learner",
            "reverb_server",
        )
    ),
)

# Characters of an error's text that are told: some list all tensors.
_LONGEST = 200

# A line of a traceback as TensorFlow copies it into the text of an error.
_COPIED = re.compile(
    r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)'
)


class Place(NamedTuple):
    """A line of code.

    Attributes:
      file: As Python knows it.
      line: Its number.
      function: That it is in.
    """

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        """For a message."""
        return f"{self.file}, line {self.line}, in {self.function}"


def tell(error: BaseException) -> str:
    """An error on one line: its kind, its text, and the user's line if there is one."""
    place = place_of(error)
    text = f"{type(error).__name__}: {_text(error)}"
    return f"{text} ({place})" if place else text


def place_of(error: BaseException) -> Place | None:
    """The innermost line of the user's own code on the way to an error, if any."""
    found = None
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        for place in _places(cause):
            if is_users(place.file):
                found = place
        # gin raises errors anew, from none: the context still has the first.
        cause = cause.__cause__ or cause.__context__
    return found


def is_users(file: str) -> bool:
    """Whether a source file is neither ours nor one of a library."""
    # Not from a file at all, or from one that TensorFlow made of the user's.
    if file.startswith("<") or "__autograph_generated_file" in file:
        return False
    path = Path(file).resolve()
    return not any(path.is_relative_to(folder) for folder in _LIBRARIES)


def _places(error: BaseException) -> Iterator[Place]:
    """All lines on the way to an error, the outermost first."""
    for frame in traceback.extract_tb(error.__traceback__):
        yield Place(frame.filename, frame.lineno or 0, frame.name)
    for match in _COPIED.finditer(str(error)):
        yield Place(match["file"], int(match["line"]), match["function"])


def _text(error: BaseException) -> str:
    """What an error says, without what Keras and TensorFlow put around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines and lines[0].startswith("in user code:"):
        return lines[-1].removeprefix(f"{type(error).__name__}: ")
    if lines and lines[0].startswith("Exception encountered when calling"):
        lines = lines[1:]
    text = one_line(Exception(lines[0])) if lines else "it does not say why"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
