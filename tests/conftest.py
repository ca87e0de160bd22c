"""What all tests share."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import gin
import pytest

# Seconds: what all other garbage takes at most.
_COLLECTION_S = 5.0


@pytest.fixture(autouse=True)
def no_gin_state() -> Iterator[None]:
    """Bindings are global: no test sees those of another."""
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.fixture(autouse=True, scope="session")
def _no_garbage_collection_in_tests() -> Iterator[None]:
    """Only `_freed_between_modules` collects garbage."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True, scope="module")
def _freed_between_modules() -> Iterator[None]:
    """Frees what is garbage when no test is running.

    Reverb's sampler, when freed after its server has gone, waits until gRPC tries to
    connect again: seconds at first, up to two minutes later. It is in a cycle, so the
    collector would free it in the midst of any later test. Nobody waits for that.
    """
    yield
    collecting = threading.Thread(target=gc.collect, daemon=True)
    collecting.start()
    collecting.join(_COLLECTION_S)
