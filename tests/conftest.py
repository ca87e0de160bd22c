"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import gin
import pytest


@pytest.fixture(autouse=True)
def no_gin_state() -> Iterator[None]:
    """Bindings are global: no test sees those of another."""
    gin.clear_config()
    yield
    gin.clear_config()
