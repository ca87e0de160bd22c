"""Where the figures of all processes of a run are kept: `metrics.jsonl`."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiment import run_dir


class MetricsLog:
    """Keeps rows of figures, as `figures.FIGURES` describes them."""

    def __init__(self, root_dir: Path) -> None:
        """Args: root_dir: Folder of the run."""
        self._path = root_dir / run_dir.METRICS

    def write(self, rows: Sequence[dict[str, Any]]) -> None:
        """Appends rows; a full disk costs rows, not the run."""
        try:
            text = "".join(json.dumps(row) + "\n" for row in rows)
            run_dir.append_text(self._path, text)
        except OSError as error:
            logging.error("%d rows of figures are lost: %s", len(rows), error)  # noqa: TRY400
            with contextlib.suppress(OSError):  # The launcher sees that we live.
                os.utime(self._path)
