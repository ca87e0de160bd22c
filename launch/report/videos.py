"""The videos of a run in its report: as they are, unless they are too large."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from launch.report.link import link

# Of one at the end, and of all on the way together; others stay files of their own.
_MOST_BYTES = 20_000_000


def embedded(path: Path) -> str | None:
    """A video; None if it is too large."""
    if path.stat().st_size > _MOST_BYTES:
        return None
    return link("video/mp4", path.read_bytes())


def gallery(videos: Mapping[int, Path]) -> dict[int, str]:
    """As many as fit: the newest, and of those before evenly spread ones.

    Args:
      videos: By train step, in order.
    """
    steps = list(videos)
    sizes = np.array([path.stat().st_size for path in videos.values()])
    for count in range(len(steps), 0, -1):
        places = np.linspace(len(steps) - 1, 0, count).round().astype(int)[::-1]
        if sizes[places].sum() <= _MOST_BYTES:
            chosen = [steps[place] for place in places]
            return {
                step: link("video/mp4", videos[step].read_bytes()) for step in chosen
            }
    return {}
