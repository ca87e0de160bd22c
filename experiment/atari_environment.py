"""Atari games by way of EnvPool, with what is usually done to them.

docs/environments.md has all settings beside those of the papers.
"""

from __future__ import annotations

from collections.abc import Sequence

import gin
from tf_agents.environments import py_environment

from experiment.envpool_environment import EnvPoolEnvironment
from experiment.envpool_task import EnvPoolTask, checked_name
from experiment.errors import ConfigurationError, check_bool, check_number

# More of anything would be a mistake: frames, pixels of a side.
_MOST = 1_000

# Height and width.
_IMAGE_RANK = 2


@gin.configurable
def atari_environment(
    name: str | None = None,
    max_episode_steps: int | None = None,
    num_threads: int = 1,
    frame_skip: int = 4,
    frame_stack: int = 4,
    image_size: Sequence[int] = (84, 84),
    *,
    grey: bool = True,
    sticky_actions: float = 0.0,
    max_noop_starts: int = 30,
    fire_starts: bool = True,
    full_action_space: bool = False,
    life_loss_is_terminal: bool = False,
) -> py_environment.PyEnvironment:
    """Makes one Atari game, or by its method `batch` many at once.

    Args:
      name: EnvPool's name of it, e.g. `Pong-v5`.
      max_episode_steps: Time limit in steps of the agent, each of `frame_skip` frames;
        None is 27,000, 0 is none.
      num_threads: Threads that step a batch.
      frame_skip: Frames for which an action is repeated; the agent sees the maximum of
        the last two.
      frame_stack: Steps whose images make one observation.
      image_size: Height and width in pixels.
      grey: Whether images have no colours.
      sticky_actions: Probability that a frame repeats the action of the frame before,
        whatever the agent wants (Machado et al., 2018, arXiv:1709.06009).
      max_noop_starts: An episode begins with so many actions that do nothing at most,
        at least one (Mnih et al., 2015, doi:10.1038/nature14236).
      fire_starts: Whether games that begin with the button are begun.
      full_action_space: All 18 actions, not those only that do something in this game.
      life_loss_is_terminal: Whether a lost life has discount 0. The episode goes on, so
        returns are those of whole games.

    Returns:
      The environment, unbatched; observations are uint8 [height, width, channels].

    Raises:
      ConfigurationError: EnvPool is not installed, or a parameter is wrong.
    """
    factory = "atari_environment"
    name = checked_name(factory, name, "Pong-v5", max_episode_steps, num_threads)
    options = {
        "frame_skip": frame_skip,
        "stack_num": frame_stack,
        "gray_scale": grey,
        "repeat_action_probability": sticky_actions,
        "noop_max": max_noop_starts,
        "use_fire_reset": fire_starts,
        "full_action_space": full_action_space,
    }
    for parameter, number in (
        ("frame_skip", frame_skip),
        ("frame_stack", frame_stack),
        ("max_noop_starts", max_noop_starts),  # EnvPool 0.8 crashes at 0.
    ):
        _check_count(parameter, number)
    check_number(f"{factory}.sticky_actions", sticky_actions, 0, at_most=1)
    for parameter, value in (
        ("grey", grey),
        ("fire_starts", fire_starts),
        ("full_action_space", full_action_space),
        ("life_loss_is_terminal", life_loss_is_terminal),
    ):
        check_bool(f"{factory}.{parameter}", value)
    options["img_height"], options["img_width"] = _size(image_size)
    return EnvPoolEnvironment(
        EnvPoolTask(
            factory,
            name,
            max_episode_steps,
            num_threads,
            options,
            life_loss_is_terminal,
        )
    )


def _size(image_size: Sequence[int]) -> Sequence[int]:
    """Height and width, validated."""
    name = "atari_environment.image_size"
    if not isinstance(image_size, (list, tuple)) or len(image_size) != _IMAGE_RANK:
        raise ConfigurationError(
            f"{name} is {image_size!r}; it must be height and width, e.g. (84, 84)."
        )
    for length in image_size:
        _check_count("image_size", length)
    return image_size


def _check_count(parameter: str, value: int) -> None:
    """Refuses what EnvPool, which checks nothing, could not count or hold."""
    name = f"atari_environment.{parameter}"
    check_number(name, value, 1, at_most=_MOST, integer=True)
