"""benchmarks/results_page.py: one row for each preset, the newest."""

from __future__ import annotations

from pathlib import Path

from benchmarks import results_page
from eval_job.returns_file import Row


def test_rows_are_added_and_replaced(tmp_path: Path) -> None:
    """In the order of their names; a page says what its columns are."""
    page = tmp_path / "docs" / "results.md"
    for preset, steps in (("b.gin", 20_000.4), ("a.gin", 1), ("b.gin", 300_000)):
        results_page.add(page, {"preset": preset, "updates": steps, "command": "`x`"})
    text = page.read_text()
    assert text.startswith("# Results\n")
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    assert cells[0] == ["preset", "updates", "command"]
    assert cells[2:] == [["a.gin", "1", "`x`"], ["b.gin", "300,000", "`x`"]]


def test_a_curve_is_drawn(tmp_path: Path) -> None:
    """Of runs of different lengths."""
    runs = [
        [Row(step, 10 * step, 1.0, step, 0, 0, 1, 10) for step in range(length)]
        for length in (3, 8)
    ]
    picture = tmp_path / "images" / "a.png"
    results_page.draw(picture, "a.gin", runs)
    assert picture.read_bytes().startswith(b"\x89PNG")
