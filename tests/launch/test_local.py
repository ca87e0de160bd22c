"""launch/local.sh: from the set-up to `python -m launch`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.launch.small_checkout import ROOT, Checkout, only_line, run


def test_local_runs_this_checkout_in_the_directory_of_the_user(
    ready: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their modules can be imported, but take the place of none of ours."""
    (ready.root / "launch" / "__main__.py").write_text(
        "import json, os, sys, mine\nprint(json.dumps([os.getcwd(), sys.argv[1:]]))\n"
    )
    (tmp_path / "mine.py").touch()
    (tmp_path / "launch.py").write_text("raise SystemExit('not this one')\n")
    monkeypatch.chdir(tmp_path)
    local = ready.root / "launch" / "local.sh"
    ended = run(local, "--root_dir=runs/a b", **ready.environment)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [str(tmp_path), ["--root_dir=runs/a b"]]


def test_local_passes_on_the_exit_code_of_the_set_up(bare: Path) -> None:
    """Nothing is started on a machine that cannot run it."""
    local = Path(shutil.copy(ROOT / "launch" / "local.sh", bare.parent))
    only_line(run(local, ANTIPHON_PYTHON="/no/such/python"), 2)
