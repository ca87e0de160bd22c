"""One process of a run as data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Role:
    """One process to start.

    Attributes:
      name: Also the name of its log.
      module: A package of this checkout.
      arguments: Its flags.
      restart_arguments: Further flags when it takes the place of one that died.
      task: Number of the process within its module.
      waits_for_server: Whether it starts when the server is up, giving way to others.
      is_spare: Whether a run can end well without it.
      serves: Whether the others need it until they have ended, as they need the server.
    """

    name: str
    module: str
    arguments: Sequence[str]
    restart_arguments: Sequence[str] = ()
    task: int = 0
    waits_for_server: bool = False
    is_spare: bool = False
    serves: bool = False
