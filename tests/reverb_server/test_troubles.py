"""reverb_server/troubles.py: what is wrong, and whose trouble it is."""

from __future__ import annotations

from reverb_server import troubles


def test_what_is_wrong_is_told_with_the_name_of_the_process() -> None:
    """All at once, each by the figure that tells it."""
    row = {"role": "actor", "task": 3, "problem": "no space"}
    assert list(troubles.of({**row, "environment_stalled_s": 12})) == [
        ("problem", "problem: actor-3: no space"),
        (
            "environment_stalled_s",
            "problem: actor-3: an environment has not come back for 12 s, see its log",
        ),
    ]
    server = {"role": "reverb_server", "task": 0, "stall": "the learner waits"}
    assert list(troubles.of(server)) == [("stall", "waiting: the learner waits")]


def test_nothing_is_wrong_while_figures_say_so_or_say_nothing() -> None:
    fine = {"role": "learner", "task": 0, "problem": None, "environment_stalled_s": 0}
    assert list(troubles.of(fine)) == []
    assert list(troubles.of({})) == []
