"""What a resume changes: the values in force now against those of the run before."""

from __future__ import annotations

from experiment.errors import ConfigurationError

# What the stored experience and weights are of: with another one they mean nothing.
_FIXED = (
    "Experiment.environment",
    "Experiment.agent",
    "gym_environment.name",
    "envpool_environment.name",
)


def values(gin_text: str) -> dict[str, str]:
    """The bindings of gin text as gin writes it, each value as text."""
    lines = gin_text.replace("\\\n", " ").splitlines()
    pairs = (line.split(" = ", 1) for line in _joined(lines) if " = " in line)
    return {name.strip(): " ".join(value.split()) for name, value in pairs}


def _joined(lines: list[str]) -> list[str]:
    """Without comments; values that go on over indented lines on one line."""
    joined: list[str] = []
    for line in lines:
        if line.startswith((" ", "\t", ")", "]", "}")) and joined:
            joined[-1] += line
        elif line and not line.startswith("#"):
            joined.append(line)
    return joined


def compare(before: str, now: str) -> list[str]:
    """Lists what differs between two texts of all values in force.

    Args:
      before: gin text of the run before.
      now: gin text of the run that goes on.

    Returns:
      A line for each value that has changed, with both values.

    Raises:
      ConfigurationError: What has changed cannot be changed in a run.
    """
    old, new = values(before), values(now)
    changes = {
        name: f"{name} was {old.get(name, 'not in use')}, is {new.get(name, 'unused')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }
    fixed = [text for name, text in changes.items() if name in _FIXED]
    if fixed:
        raise ConfigurationError(
            f"--resume: {'; '.join(fixed)}. What was learned and stored is of the "
            "former; start a new run in another --root_dir, or take the change back."
        )
    return list(changes.values())
