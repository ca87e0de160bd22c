"""The experiment: what gin binds together, and how it is read from gin text."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import gin
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.environments import py_environment
from tf_agents.specs import tensor_spec
from tf_agents.train.utils import train_utils
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment import (
    agents,
    atari_environment,  # noqa: F401  (known to gin by being imported)
    blame,
    environments,
    envpool_environment,  # noqa: F401  (the same)
    exploration,
    gin_text,
    gymnasium_environment,  # noqa: F401  (the same)
    observe_only,  # noqa: F401  (the same)
    precision,
    presets,
    specs,
    stack_frames,  # noqa: F401  (the same)
    time_limit,
    unused,
)
from experiment.errors import ConfigurationError
from experiment.factories import check_factory
from experiment.manifest import Manifest
from experiment.settings import Collect, Evaluation, Replay, Train

# What gin raises for text, names and values it cannot take.
_GIN_ERRORS = (
    ValueError,
    TypeError,
    RuntimeError,
    OSError,
    ImportError,
    AttributeError,
)


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Experiment:
    """Everything that defines what is learned.

    Attributes:
      environment: Makes one environment.
      agent: Makes the agent for an environment's specs.
      collect_policy: Makes the policy an actor explores with.
      replay: The replay table and how it is sampled.
      collect: How actors gather experience.
      train: How the learner learns.
      evaluation: How the greedy policy is judged.
    """

    environment: environments.EnvironmentFactory = environments.gym_environment
    agent: agents.AgentFactory = agents.dqn_agent
    collect_policy: exploration.CollectPolicyFactory = exploration.agent_collect_policy
    replay: Replay = dataclasses.field(default_factory=Replay)
    collect: Collect = dataclasses.field(default_factory=Collect)
    train: Train = dataclasses.field(default_factory=Train)
    evaluation: Evaluation = dataclasses.field(default_factory=Evaluation)

    def __post_init__(self) -> None:
        """Validates; raises `ConfigurationError`."""
        for name, takes in (("environment", 0), ("agent", 3), ("collect_policy", 3)):
            check_factory(f"Experiment.{name}", getattr(self, name), takes)
        for kind in (Replay, Collect, Train, Evaluation):
            name = kind.__name__.lower()
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise ConfigurationError(
                    f"Experiment.{name} is {value!r}; leave it out, and bind the "
                    f"parameters of {kind.__name__} instead."
                )

    def make_agent(
        self, environment: py_environment.PyEnvironment, is_mixed: bool = False
    ) -> tuple[tf_agent.TFAgent, tf.Variable]:
        """Builds the agent for an environment.

        Args:
          environment: Its specs are those of one unbatched step, also if batched.
          is_mixed: Whether its hidden layers are to be mixed, see `precision`.

        Returns:
          The initialised agent, and the int64 scalar variable of its train step.

        Raises:
          ConfigurationError: Environment and agent do not fit, or the agent has no
            layer that can be mixed.
        """
        _require_type("environment", environment, py_environment.PyEnvironment)
        specs.check_specs(environment)
        train_step = train_utils.create_train_step()
        with precision.mixed() if is_mixed else contextlib.nullcontext():
            agent = self.agent(*_tensor_specs(environment), train_step)
        _require_type("agent", agent, tf_agent.TFAgent)
        if agent.train_step_counter is not train_step:
            raise ConfigurationError(
                f"Experiment.agent makes {type(agent).__name__}, which does not count "
                "its gradient steps with the variable that it is given; pass it on as "
                "train_step_counter."
            )
        time_limit.check_windows(agent, environment)
        if is_mixed:
            precision.require_mixed(agent)
        agent.initialize()
        return agent, train_step


def _require_type(name: str, made: object, kind: type) -> None:
    """Refuses what a factory has made, if it is of another kind."""
    if not isinstance(made, kind):
        raise ConfigurationError(
            f"Experiment.{name} makes {made!r}; it must make a {kind.__name__}."
        )


def _tensor_specs(
    environment: py_environment.PyEnvironment,
) -> tuple[ts.TimeStep, types.NestedTensorSpec]:
    """The environment's time step and action specs, as TensorFlow's."""
    return (
        tensor_spec.from_spec(environment.time_step_spec()),
        tensor_spec.from_spec(environment.action_spec()),
    )


# gin looks for what a file includes in the current folder first, then here.
gin.add_config_file_search_path(str(presets.PRESETS))


def load_text(text: str, own: str = "") -> Experiment:
    """Builds the experiment from gin text; forgets what gin held before.

    Args:
      text: All that is bound.
      own: Of it, what the user has written for this run, see `unused`.

    Raises:
      ConfigurationError: The text, a name or a value in it is wrong.
    """
    gin.clear_config()
    bindings = list(gin_text.read(text))
    unused.remember(gin_text.read(own))
    try:
        gin.parse_config(text, skip_unknown=False)
        for binding in bindings:
            _check_references(binding, bindings)
        return Experiment()
    except ConfigurationError:
        raise
    except _GIN_ERRORS as error:
        place = blame.place_of(error)
        where = f" ({place})" if place else ""
        raise ConfigurationError(f"gin: {_one_line(error)}{where}") from error
    except Exception as error:  # A module of the user's raises anything.
        raise ConfigurationError(f"gin: {blame.tell(error)}") from error


def _check_references(
    binding: gin_text.Binding, bindings: Sequence[gin_text.Binding]
) -> None:
    """Refuses macros without a value, and calls that lack an argument.

    gin would do so where the value is used, which may be in another process.
    """
    macros = {f"%{each.name}" for each in bindings if not each.parameter}
    for name in binding.references:
        if name.startswith("%") and name not in macros and not _has_value(name):
            raise ConfigurationError(
                f"gin: {name} has no value ({binding.place}); add a line "
                f"`{name[1:]} = ...`."
            )
        if name.endswith("()") and "/" not in name:
            function = gin.get_configurable(name[1:-2])
            check_factory(f"{binding.name}.{binding.parameter}", function, takes=0)


def _has_value(macro: str) -> bool:
    """Whether gin has a value for it, which a module may have made a constant."""
    try:
        copy.deepcopy(gin.config.parse_value(macro))  # This is how gin looks it up.
    except TypeError:
        return False
    return True


def load_file(path: Path, bindings: Sequence[str] = ()) -> Experiment:
    """Builds the experiment from a gin file; `bindings` win over the file.

    Modules of the user's may lie beside the file: its folder is the last place that is
    looked in, so they take the place of none.

    Raises:
      ConfigurationError: The file, a name or a value in it is wrong.
    """
    look_in(path.parent)
    text = gin_text.text_of(path, bindings)
    return load_text(text, own=text)


def load_run(run: Manifest, bindings: Sequence[str] = ()) -> Experiment:
    """Builds the experiment of a run; `bindings` win over its own.

    Raises:
      ConfigurationError: A name or a value is wrong, or a module is not found here.
    """
    if run.gin_folder:
        look_in(Path(run.gin_folder))
    return load_text("\n".join([run.gin_text, *bindings]), own="\n".join(bindings))


def look_in(folder: Path) -> None:
    """Lets modules be imported from a folder, if they are found nowhere else."""
    if str(folder.resolve()) not in sys.path:
        sys.path.append(str(folder.resolve()))


def effective_text() -> str:
    """All bindings in force, as gin text that `load_text` takes on any host."""
    return str(gin.config_str(max_line_length=100))


def operative_text() -> str:
    """All values used so far, bound or default, by what has been built."""
    return str(gin.operative_config_str(max_line_length=100))


def _one_line(error: Exception) -> str:
    """The whole message, gin's hint of the place included, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
