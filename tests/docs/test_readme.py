"""Samples, links and paths in the documents."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval_job import returns_file
from experiment import run_dir
from launch.plain_view import figures_line
from launch.progress import Progress
from launch.state import RunState, of_roles
from tests.docs.markdown import (
    DOCUMENTS,
    README,
    ROOT,
    anchors,
    blocks,
    code_spans,
    links,
)


def shape(line: str) -> str:
    """A line without its figures."""
    return re.sub(r"\d[\d,.]*\d|\d", "#", line)


def progress_shapes(tmp_path: Path) -> set[str]:
    """The progress lines of a run that gets under way, without their figures."""
    metrics, returns = tmp_path / run_dir.METRICS, tmp_path / run_dir.RETURNS
    row = returns_file.Row.of(np.ones(1), train_step=1, env_steps=1, wall_time_s=1.0)
    learner = {"role": "learner", "train_step": 1, "updates_per_s": 1, "waited_s": 0}
    rows: list[dict[str, Any]] = [
        {"role": "reverb_server", "env_steps": 1, "env_steps_per_s": 1},
        {"role": "eval_job", "target_return": 9},
        {**learner, "policy_lag": None},
        {**learner, "policy_lag": 1},
    ]
    progress, shapes = Progress(tmp_path), set()
    returns.parent.mkdir()
    for number, figures in enumerate(rows):
        with metrics.open("a") as file:
            file.write(json.dumps({**figures, "pid": number}) + "\n")
        if figures["role"] == "eval_job":
            returns_file.append(returns, row)
        shapes.add(shape(figures_line(RunState(0.0, progress, of_roles(progress)))))
        progress.read()
        shapes.add(shape(figures_line(RunState(0.0, progress, of_roles(progress)))))
    return shapes


def _said_by(node: ast.AST) -> ast.expr | None:
    """What is shown by a call, or is a line, or is made one by a function."""
    if isinstance(node, ast.Call):
        is_shown = ast.unparse(node.func).endswith(("say", "print_line"))
        return node.args[0] if is_shown else None
    return node.value if isinstance(node, (ast.Assign, ast.Return)) else None


def said() -> list[str]:
    """Patterns of what the launcher says in one piece."""
    patterns = []
    for module in ("command", "screen"):
        tree = ast.parse((ROOT / "launch" / f"{module}.py").read_text())
        for call in ast.walk(tree):
            text = _said_by(call)
            if text is not None:
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                patterns.append(
                    "".join(
                        re.escape(str(part.value))
                        if isinstance(part, ast.Constant)
                        else ".+"
                        for part in parts
                    )
                )
    return [pattern for pattern in patterns if pattern != ".+"]


def test_the_sample_in_the_readme_is_what_the_program_prints(tmp_path: Path) -> None:
    """Figures aside."""
    [sample] = blocks(README.read_text(), "text")
    shapes, patterns = progress_shapes(tmp_path), said()
    lines = sample.splitlines()
    times = [line for line in lines if re.match(r"\d:\d\d:\d\d ", line)]
    assert len(times) > 2
    assert {shape(line) for line in times} <= shapes
    results = [line for line in lines if line.startswith("target reached, ")]
    assert len(results) == 1
    for line in lines:
        if line not in [*times, *results]:
            assert any(re.fullmatch(pattern, line) for pattern in patterns), line


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(document: Path) -> None:
    """To a file of this checkout, and to a heading in it if one is named."""
    text = document.read_text()
    for link in links(text):
        if link.startswith("https://"):
            continue
        name, _, fragment = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if fragment:
            assert fragment in anchors(target.read_text()), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_of_sources_exist(document: Path) -> None:
    """Names such as `experiment/flags.py`, wherever they stand in a text."""
    for span in code_spans(document.read_text()):
        if re.fullmatch(r"(\./)?[a-z_]+/[a-z_/]+\.(py|sh|gin|md)", span):
            assert (ROOT / span).is_file(), span


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_path_of_a_developers_machine(document: Path) -> None:
    """They would mean nothing to a reader."""
    assert not re.search(
        r"(?<![\w.])/(home|root|tmp|work|Users)/", document.read_text()
    )


def test_the_picture_is_one() -> None:
    """Made by the program, so a PNG."""
    [picture] = [link for link in links(README.read_text()) if link.endswith(".png")]
    assert (ROOT / picture).read_bytes().startswith(b"\x89PNG\r\n")


def test_there_is_a_design_page_and_a_changelog() -> None:
    """And the README leads there."""
    assert {
        "docs/design.md",
        "docs/configuration.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
    } <= set(links(README.read_text()))
