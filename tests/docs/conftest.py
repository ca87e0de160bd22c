"""What the code defines, for the documents to agree with."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.docs.markdown import ROOT


@pytest.fixture(scope="session")
def interface() -> dict[str, Any]:
    """What the code defines."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.docs.interface"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found
