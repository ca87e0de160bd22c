"""docs/extending.md: the example on the page is the one in `examples/`."""

from __future__ import annotations

import re

from tests.docs.markdown import ROOT, blocks

EXTENDING = (ROOT / "docs" / "extending.md").read_text()
EXAMPLE = ROOT / "examples" / "cliff"


def test_the_code_on_the_page_is_that_of_the_example() -> None:
    """File by file, in the order of the page."""
    named = re.findall(r"^`examples/cliff/(\S+)`:$", EXTENDING, re.MULTILINE)
    shown = [*blocks(EXTENDING, "python"), *blocks(EXTENDING, "gin")]
    assert shown == [(EXAMPLE / name).read_text() for name in named]
    assert sorted(named) == sorted(
        path.name for path in EXAMPLE.iterdir() if path.is_file()
    )
