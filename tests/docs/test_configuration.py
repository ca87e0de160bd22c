"""docs/configuration.md and the tables of README.md: flags, gin, fields, versions."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from experiment import run_dir
from tests.docs.interface import PROCESSES
from tests.docs.markdown import (
    README,
    ROOT,
    code_spans,
    table,
)

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
LOCK = (ROOT / "requirements.lock").read_text()


def code(cell: str) -> str:
    """The one code span that is all of a cell."""
    [span] = code_spans(cell)
    assert cell == f"`{span}`", cell
    return span


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
