"""What a nested spec consists of, in words: to compare two of them, and to tell."""

from __future__ import annotations

from tf_agents.specs import tensor_spec
from tf_agents.typing import types
from tf_agents.utils import nest_utils


def columns_of(spec: types.NestedSpec) -> tuple[str, ...]:
    """Path, dtype and shape of each array or tensor, in order, without spaces."""
    leaves = nest_utils.flatten_with_joined_paths(tensor_spec.from_spec(spec))
    return tuple(
        f"{path}:{leaf.dtype.name}{leaf.shape}".replace(" ", "")
        for path, leaf in leaves
    )


def differences(found: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    """The columns that only one of two has; empty if both have the same."""
    parts = [
        (who, [column for column in mine if column not in others])
        for who, mine, others in (("there", found, wanted), ("here", wanted, found))
    ]
    return "; ".join(f"{who} {', '.join(only)}" for who, only in parts if only)
