"""The flags of the check, checked."""

from __future__ import annotations

from absl import flags

from experiment import flags as shared_flags
from experiment import gin_text, presets
from experiment.errors import check_number
from experiment.manifest import DEFAULT_SEED
from launch.check.options import Options

_GIN_FILE, _GIN_BINDINGS = shared_flags.define_gin()
_NUM_ACTORS = shared_flags.define_num_actors()
_SEED = shared_flags.define_seed()
_EPISODES = flags.DEFINE_integer(
    "episodes", 5, "Episodes to play with random actions, at most."
)
_ENV_STEPS = flags.DEFINE_integer(
    "env_steps", 5_000, "Environment steps of these episodes together, at most."
)
_TIMEOUT_S = flags.DEFINE_float(
    "timeout_s",
    30.0,
    "Seconds to play, at most, and to wait for one call of the environment.",
)


def read() -> Options:
    """Reads and checks the flags, and what the gin text alone tells.

    Raises:
      ConfigurationError: A value is wrong.
    """
    shared_flags.check_num_actors(_NUM_ACTORS.value)
    check_number("--episodes", _EPISODES.value, at_least=1, integer=True)
    check_number("--env_steps", _ENV_STEPS.value, at_least=1, integer=True)
    check_number("--timeout_s", _TIMEOUT_S.value, above=0)
    path = presets.find_preset(_GIN_FILE.value or presets.DEFAULT_PRESET)
    gin_text.check_settings(gin_text.text_of(path, _GIN_BINDINGS.value))
    return Options(
        gin_file=path,
        gin_bindings=_GIN_BINDINGS.value,
        num_actors=_NUM_ACTORS.value,
        seed=DEFAULT_SEED if _SEED.value is None else _SEED.value,
        episodes=_EPISODES.value,
        env_steps=_ENV_STEPS.value,
        timeout_s=_TIMEOUT_S.value,
    )
