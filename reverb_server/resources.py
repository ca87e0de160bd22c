"""What this process takes of its machine."""

from __future__ import annotations

from typing import Any

import psutil


class Resources:
    """Measures this process from call to call."""

    def __init__(self) -> None:
        """Begins to count processor time now."""
        self._process = psutil.Process()
        self._process.cpu_percent()

    def figures(self) -> dict[str, Any]:
        """Memory now; processor time since the last call, in % of one core."""
        memory = self._process.memory_info().rss
        return {
            "memory_mb": round(memory / 2**20),
            "cpu_percent": self._process.cpu_percent(),
        }
