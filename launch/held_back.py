"""What holds a run back: whoever the other side waits for."""

from __future__ import annotations

# The share of its time from which on a side is said to wait.
_WAITS = 0.1


def held_back(*, actors: float, learner: float) -> tuple[str, str]:
    """Tells who waits for whom.

    Args:
      actors: Share of their time that they wait to insert.
      learner: Share of its time that it waits for batches.

    Returns:
      It in words; and what would help, in a sentence, empty if nobody waits.
    """
    if max(learner, actors) < _WAITS:
        return "nobody waits for anybody", ""
    if learner > actors:
        return (
            f"the learner waits {learner:.0%} of its time for experience, so the "
            "actors hold the run back",
            "More actors, faster environments, or more samples per insert would give "
            "more updates a second.",
        )
    return (
        f"actors wait {actors:.0%} of their time for the learner, so it holds the "
        "run back",
        "More actors would not help; a faster learner, or fewer samples per insert, "
        "would give more environment steps a second.",
    )
