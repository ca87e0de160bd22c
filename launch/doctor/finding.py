"""What a check has found: one line for the user."""

from __future__ import annotations

from typing import Callable, NamedTuple

from experiment import requirements
from experiment.errors import ConfigurationError

OK = "ok"
WARN = "warn"  # A run works, but not as well as it could.
FAIL = "fail"  # A run does not work.

SET_UP = "run launch/setup.sh, and use .venv/bin/python"


class Finding(NamedTuple):
    """What a check has found.

    Attributes:
      level: `OK`, `WARN` or `FAIL`.
      name: Of what was checked.
      text: What was found.
      remedy: What to do about it, unless it is well, or the text says so.
    """

    level: str
    name: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        """As it is printed."""
        text = f"{self.text}; {self.remedy}" if self.remedy else self.text
        return f"{self.level:4}  {self.name:11} {text}"


class Check(NamedTuple):
    """What is to be checked.

    Attributes:
      name: For the user.
      run: Checks.
      needs: Packages without which it cannot be made.
    """

    name: str
    run: Callable[[], Finding]
    needs: tuple[str, ...] = ()

    @property
    def is_possible(self) -> bool:
        """Whether the packages that it needs are installed."""
        return all(requirements.version(package) for package in self.needs)

    def attempt(self) -> Finding:
        """Checks; whatever is raised is a finding too."""
        try:
            return self.run()
        except ConfigurationError as error:
            return Finding(FAIL, self.name, str(error))
        except ImportError as error:
            return Finding(FAIL, self.name, str(error), SET_UP)
        except Exception as error:  # noqa: BLE001  (a broken machine raises anything)
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            remedy = "if that does not tell the cause, report it"
            return Finding(FAIL, self.name, text, remedy)
