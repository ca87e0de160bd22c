"""Commands, Python and gin in the documents: they are of what there is."""

from __future__ import annotations

import ast
import os
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tf_agents.environments import utils

from experiment import definition, environments
from tests.docs.interface import PROCESSES
from tests.docs.markdown import (
    DOCUMENTS,
    README,
    ROOT,
    blocks,
    code_spans,
    table,
)

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
LOCK = (ROOT / "requirements.lock").read_text()


# Programs of the system that documents have commands of.
SYSTEM = {"cd", "nft", "nsenter"}


def code(cell: str) -> str:
    """The one code span that is all of a cell."""
    [span] = code_spans(cell)
    assert cell == f"`{span}`", cell
    return span


def commands() -> list[list[str]]:
    """The words of each line in a bash block of any document."""
    return [
        shlex.split(line)
        for document in DOCUMENTS
        for block in blocks(document.read_text(), "bash")
        for line in block.splitlines()
    ]


def process_of(words: list[str]) -> str | None:
    """The process of ours that a command starts."""
    if words[0].endswith("launch/local.sh"):
        return "launch"
    if words[:2] == [".venv/bin/python", "-m"]:
        return words[2]
    return None


def flags_given(words: list[str]) -> dict[str, list[str]]:
    """The values of all flags of a command."""
    given: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            given.setdefault(name, []).append(value)
    return given


def test_the_readme_starts_with_its_two_commands() -> None:
    """Each in a block of its own, to be copied."""
    assert blocks(README.read_text(), "bash")[:2] == [
        "./launch/local.sh\n",
        "./tests/run.sh\n",
    ]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_start_what_there_is(words: list[str]) -> None:
    """Scripts of this checkout, roles, or tools that the lock files have."""
    program = words[0]
    if process := process_of(words):
        path = ROOT / process.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
        assert process in PROCESSES or process.startswith("benchmarks.")
    if program.startswith("./"):
        assert os.access(ROOT / program, os.X_OK)
        arguments = [word for word in words[1:] if "/" in word and "=" not in word]
        assert [path for path in arguments if not (ROOT / path).exists()] == []
    elif program == "uv":
        locks = [LOCK, (ROOT / "requirements-test.lock").read_text()]
        assert " ".join(words) in [lock.splitlines()[1].strip("# ") for lock in locks]
    elif program.startswith(".venv/bin/") and program != ".venv/bin/python":
        assert f"\n{Path(program).name}==" in LOCK
    elif program in SYSTEM:
        ours = [word.removeprefix("../") for word in words if "launch/" in word]
        assert [path for path in ours if not (ROOT / path).exists()] == []
    else:
        assert process, f"what is {program}?"


@pytest.mark.parametrize(
    "words", [words for words in commands() if process_of(words)], ids=" ".join
)
def test_commands_have_flags_that_there_are(
    interface: dict[str, Any], words: list[str]
) -> None:
    """And all that are required; gin names exist, and so do gin files."""
    process = process_of(words) or ""
    given = flags_given(words)
    if process.startswith("benchmarks."):
        source = (ROOT / f"{process.replace('.', '/')}.py").read_text()
        assert all(f'"{name}"' in source for name in given)
        return
    assert set(given) <= set(interface["flags"][process])
    required = {
        code(row["flag"])[2:]
        for row in table(CONFIGURATION, "flag")
        if row[process] == "required"
    }
    assert required <= set(given)
    for binding in given.get("gin_bindings", []):
        name, parameter = binding.split("=")[0].strip().split(".")
        assert parameter in interface["gin"][name]
    for file in given.get("gin_file", []):
        own = Path(file).name == "corridor.gin" and file in README.read_text()
        assert own or (ROOT / "configs" / file).is_file() or (ROOT / file).is_file()


def test_inline_bindings_are_of_parameters_that_there_are(
    interface: dict[str, Any],
) -> None:
    """Names such as `Replay.batch_size`, wherever they stand in a text."""
    checked = 0
    for document in DOCUMENTS:
        for span in code_spans(document.read_text()):
            for name, parameter in re.findall(r"(?<!/)\b(\w+)\.(\w+)\b", span):
                if name in interface["gin"]:
                    assert parameter in interface["gin"][name], (document.name, span)
                    checked += 1
    assert checked > 40


def python_blocks() -> list[str]:
    """Of all documents."""
    return [b for path in DOCUMENTS for b in blocks(path.read_text(), "python")]


@pytest.mark.parametrize("number", range(len(python_blocks())))
def test_python_compiles_and_imports_what_there_is(number: int) -> None:
    """All imports of a snippet are really done."""
    tree = ast.parse(python_blocks()[number])
    imports = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    assert imports
    exec(compile(ast.Module(imports, type_ignores=[]), "README.md", "exec"), {})
    compile(tree, "README.md", "exec")


def test_the_environment_of_the_readme_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the user would write it: two files, found from their folder."""
    own = blocks(README.read_text(), "python")
    [module] = [block for block in own if "@gin.configurable" in block]
    [preset] = blocks(README.read_text(), "gin")
    (tmp_path / "corridor.py").write_text(module)
    (tmp_path / "corridor.gin").write_text(preset)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    experiment = definition.load_file(Path("corridor.gin"))
    environment = environments.batched(
        experiment.environment, 2, np.random.SeedSequence(0)
    )
    assert len({id(single) for single in environment.envs}) == 2
    utils.validate_py_environment(environment.envs[0], episodes=2)
    experiment.make_agent(environment)
    right = np.ones(2, np.int64)
    environment.reset()
    rewards = [environment.step(right).reward.tolist() for _ in range(5)]
    np.testing.assert_allclose(rewards, [[-0.1] * 2] * 4 + [[1.0] * 2])
    assert environment.current_time_step().is_last().all()
    target = experiment.evaluation.target_return
    assert target is not None
    assert 0 < target <= np.sum(rewards) / 2
