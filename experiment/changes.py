"""What a resume changes: the values in force now against those of the run before."""

from __future__ import annotations

from experiment.errors import ConfigurationError

# What the stored experience and weights are of: with another one they mean nothing.
_FIXED = (
    "Experiment.environment",
    "Experiment.agent",
    "gym_environment.name",
    "gymnasium_environment.name",
    "gymnasium_environment.arguments",
    "envpool_environment.name",
    "atari_environment.name",
    "observe_only.environment",
    "observe_only.entries",
    "observe_only.factors",
    "observe_only.last_action",
    "stack_frames.environment",
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


def compare(before: str, now: str) -> dict[str, str]:
    """Lists what differs between two gin texts.

    Args:
      before: Of the run before.
      now: Of the run that goes on.

    Returns:
      For each name whose value has changed a line with both values.

    Raises:
      ConfigurationError: What has changed cannot be changed in a run.
    """
    old, new = values(before), values(now)
    none = "not bound"
    changed = {
        name: f"{name} was {old.get(name, none)}, is {new.get(name, none)}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }
    # What is bound now and was not before may be bound to the default.
    both = changed.keys() & old.keys() & new.keys()
    fixed = [changed[name] for name in _FIXED if name in both]
    if fixed:
        raise ConfigurationError(
            f"--resume: {'; '.join(fixed)}. What was learned and stored is of the "
            "former; start a new run in another --root_dir, or take the change back."
        )
    return changed
