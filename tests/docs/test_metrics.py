"""docs/metrics.md: each figure, as the code has it."""

from __future__ import annotations

from reverb_server import figures, summaries
from reverb_server.figures import FIGURES, Figure
from reverb_server.metrics_endpoint import exported, metric_name
from tests.docs.markdown import ROOT, code_spans, table

METRICS = (ROOT / "docs" / "metrics.md").read_text()


def row_of(figure: Figure) -> dict[str, str]:
    """What the table has to say of a figure."""
    roles = [role for role in figure.roles if role in figures.ALL_PROCESSES]
    role = roles[0] if len(roles) == 1 else "ROLE"
    is_exported = any(figure in exported(each) for each in roles)
    return {
        "figure": f"`{figure.name}`",
        "in rows of": ", ".join(f"`{each}`" for each in figure.roles),
        "kind": figure.kind.value,
        "unit": figure.unit,
        "in Prometheus": f"`{metric_name(role, figure)}`" if is_exported else "",
        "meaning": figure.meaning,
    }


def test_the_table_is_the_list_of_the_code() -> None:
    """Row by row."""
    assert table(METRICS, "figure") == [row_of(figure) for figure in FIGURES]


def test_no_figure_of_a_role_is_listed_twice() -> None:
    """Rows are told apart by their role alone."""
    pairs = [(figure.name, role) for figure in FIGURES for role in figure.roles]
    assert len(set(pairs)) == len(pairs)


def test_the_groups_and_the_last_actor_of_tensorboard_are_named() -> None:
    """They are what one looks for there."""
    spans = code_spans(METRICS)
    for group in figures.AXES.values():
        assert f"{group}/FIGURE" in spans
    assert f"actor-{summaries.MAX_ACTORS - 1}" in spans
