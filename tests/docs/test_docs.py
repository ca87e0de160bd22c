"""README.md and the rest say what the code does: flags, gin, files, commands, links."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tf_agents.environments import utils

from experiment import definition, environments, run_dir
from launch.progress import Progress
from tests.docs.interface import PROCESSES
from tests.docs.markdown import (
    DOCUMENTS,
    README,
    ROOT,
    anchors,
    blocks,
    code_spans,
    links,
    table,
)

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
LOCK = (ROOT / "requirements.lock").read_text()


@pytest.fixture(scope="module")
def interface() -> dict[str, Any]:
    """What the code defines."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.docs.interface"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def code(cell: str) -> str:
    """The one code span that is all of a cell."""
    [span] = code_spans(cell)
    assert cell == f"`{span}`", cell
    return span


# --- Flags ------------------------------------------------------------------------


@pytest.mark.parametrize("process", PROCESSES)
def test_the_table_has_just_the_flags_of_each_process(
    interface: dict[str, Any], process: str
) -> None:
    """A cell with the default stands for a flag, an empty one for none."""
    documented = {
        code(row["flag"]).removeprefix("--"): row[process]
        for row in table(CONFIGURATION, "flag")
        if row[process]
    }
    assert set(documented) == set(interface["flags"][process])
    for name, default in interface["flags"][process].items():
        if default in (None, []):  # Then words say what happens.
            assert not documented[name].startswith("`"), name
        else:
            shown = str(default).lower() if isinstance(default, bool) else str(default)
            assert code(documented[name]) == shown, name


def test_every_flag_is_explained_once() -> None:
    """In one row, with a meaning."""
    rows = table(CONFIGURATION, "flag")
    assert len({row["flag"] for row in rows}) == len(rows)
    assert all(row["meaning"] for row in rows)


# --- Gin --------------------------------------------------------------------------


def test_the_table_has_just_the_gin_names(interface: dict[str, Any]) -> None:
    """Those that `experiment` registers."""
    documented = [code(row["name"]) for row in table(CONFIGURATION, "name")]
    assert sorted(documented) == sorted(interface["gin"])


def test_the_table_has_just_the_gin_parameters(interface: dict[str, Any]) -> None:
    """Each once."""
    documented = [code(row["parameter"]) for row in table(CONFIGURATION, "parameter")]
    assert sorted(documented) == sorted(
        f"{name}.{parameter}"
        for name, parameters in interface["gin"].items()
        for parameter in parameters
    )


def test_gin_parameters_have_the_type_and_default_of_the_code(
    interface: dict[str, Any],
) -> None:
    """The types of factories are aliases there, and just callables here."""
    for row in table(CONFIGURATION, "parameter"):
        name, parameter = code(row["parameter"]).split(".")
        annotation, default = interface["gin"][name][parameter]
        kind = "callable" if "Factory" in annotation else annotation
        assert row["type"] == kind.replace(" | ", " or "), row
        assert row["meaning"], row
        if default == "required":
            assert row["default"] == "*required*", row
        elif default.startswith("@"):
            assert code(row["default"]) == default, row
        else:
            shown = ast.literal_eval(code(row["default"]))
            assert shown == ast.literal_eval(default), row


# --- Files ------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["result.json", "eval/returns.csv"])
def test_the_fields_of_the_results_are_listed(
    interface: dict[str, Any], file: str
) -> None:
    """In the README by name, in the configuration with their meaning, in order."""
    listed = re.search(
        rf"^(?:Fields|Columns) of `{file}`: (.*?)\.\n\n",
        README.read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert listed
    assert code_spans(listed[1]) == interface[file]
    column = {"result.json": "field", "eval/returns.csv": "column"}[file]
    rows = table(CONFIGURATION, column)
    assert [code(row[column]) for row in rows] == interface[file]


def test_every_file_of_a_run_is_listed() -> None:
    """All names that `experiment/run_dir.py` has for what is in the folder."""
    cells = " ".join(row["file"] for row in table(README.read_text(), "file"))
    names = [
        value
        for name, value in vars(run_dir).items()
        if name.isupper() and isinstance(value, str) and name != "LATEST"
    ]
    assert len(names) >= 10
    assert [name for name in names if name not in cells] == []


def test_the_versions_are_those_of_the_lock() -> None:
    """What the README says was tested together."""
    pinned = dict(re.findall(r"^([\w-]+)==([\w.]+)", LOCK, re.MULTILINE))
    rows = table(README.read_text(), "package")
    named = {row["package"]: row["version"] for row in rows}
    del named["Python"]
    assert named == {name: pinned[name] for name in named}
    assert {"tensorflow", "tf-agents", "dm-reverb", "gym", "numpy"} == set(named)


# --- What the screen shows --------------------------------------------------------


def shape(line: str) -> str:
    """A line without its figures."""
    return re.sub(r"\d[\d,.]*\d|\d", "#", line)


def progress_shapes(tmp_path: Path) -> set[str]:
    """The progress lines of a run that gets under way, without their figures."""
    metrics = tmp_path / run_dir.METRICS
    rows: list[dict[str, Any]] = [
        {"role": "reverb_server", "env_steps": 1, "env_steps_per_s": 1},
        {"role": "eval_job", "average_return": 1.5, "target_return": 9},
        {"role": "learner", "train_step": 1, "updates_per_s": 1, "policy_lag": None},
        {"role": "learner", "train_step": 1, "updates_per_s": 1, "policy_lag": 1},
    ]
    progress = Progress(metrics)
    shapes = {shape(progress.line(0))}
    for row in rows:
        with metrics.open("a") as file:
            file.write(json.dumps(row) + "\n")
        progress.read()
        shapes.add(shape(progress.line(0)))
    return shapes


def said() -> list[str]:
    """Patterns of what the launcher says in one piece."""
    patterns = []
    for module in ("screen", "supervisor"):
        tree = ast.parse((ROOT / "launch" / f"{module}.py").read_text())
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("say"):
                text = call.args[0]
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
    times = [line for line in lines if re.match(r"\d\d:\d\d ", line)]
    assert len(times) > 2
    assert {shape(line) for line in times} <= shapes
    results = [line for line in lines if line.startswith("target reached, ")]
    assert len(results) == 1
    for line in lines:
        if line not in [*times, *results]:
            assert any(re.fullmatch(pattern, line) for pattern in patterns), line


# --- Commands ---------------------------------------------------------------------


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
        assert process in PROCESSES
        assert (ROOT / process / "__main__.py").is_file()
    if program.startswith("./"):
        assert os.access(ROOT / program, os.X_OK)
        arguments = [word for word in words[1:] if "/" in word and "=" not in word]
        assert [path for path in arguments if not (ROOT / path).exists()] == []
    elif program == "uv":
        locks = [LOCK, (ROOT / "requirements-test.lock").read_text()]
        assert " ".join(words) in [lock.splitlines()[1].strip("# ") for lock in locks]
    elif program.startswith(".venv/bin/") and program != ".venv/bin/python":
        assert f"\n{Path(program).name}==" in LOCK
    else:
        assert process, f"what is {program}?"


@pytest.mark.parametrize(
    "words", [words for words in commands() if process_of(words)], ids=" ".join
)
def test_commands_have_flags_that_there_are(
    interface: dict[str, Any], words: list[str]
) -> None:
    """And all that are required; gin names exist, and so do gin files."""
    process = process_of(words)
    given = flags_given(words)
    assert set(given) <= set(interface["flags"][process])
    required = {
        code(row["flag"])[2:]
        for row in table(CONFIGURATION, "flag")
        if row[process or ""] == "required"
    }
    assert required <= set(given)
    for binding in given.get("gin_bindings", []):
        name, parameter = binding.split("=")[0].strip().split(".")
        assert parameter in interface["gin"][name]
    for file in given.get("gin_file", []):
        own = f"`{file}`" in README.read_text() and file == "corridor.gin"
        assert own or (ROOT / "configs" / file).is_file()


def test_inline_bindings_are_of_parameters_that_there_are(
    interface: dict[str, Any],
) -> None:
    """Names such as `Replay.batch_size`, wherever they stand in a text."""
    checked = 0
    for document in DOCUMENTS:
        for span in code_spans(document.read_text()):
            for name, parameter in re.findall(r"\b(\w+)\.(\w+)\b", span):
                if name in interface["gin"]:
                    assert parameter in interface["gin"][name], (document.name, span)
                    checked += 1
    assert checked > 40


# --- Python and gin ---------------------------------------------------------------


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
    [module] = [b for b in python_blocks() if "@gin.configurable" in b]
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


# --- Links and paths --------------------------------------------------------------


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
