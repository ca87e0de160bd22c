"""The experiment: what gin binds together, and how it is read from gin text."""

from __future__ import annotations

import dataclasses
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
    environments,
    envpool_environment,  # noqa: F401  (known to gin by being imported)
    exploration,
)
from experiment.errors import ConfigurationError
from experiment.settings import Collect, Evaluation, Replay, Train

# What gin raises for text, names and values it cannot take.
_GIN_ERRORS = (
    ValueError,
    TypeError,
    RuntimeError,
    OSError,
    ImportError,
    SyntaxError,
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
        for name in ("environment", "agent", "collect_policy"):
            value = getattr(self, name)
            if not callable(value):
                raise ConfigurationError(
                    f"Experiment.{name} is {value!r}; it must be a function, bound by "
                    f"its name with @ before it and no brackets after it."
                )

    def make_agent(
        self, environment: py_environment.PyEnvironment
    ) -> tuple[tf_agent.TFAgent, tf.Variable]:
        """Builds the agent for an environment.

        Args:
          environment: Its specs are those of one unbatched step, also if batched.

        Returns:
          The initialised agent, and the int64 scalar variable of its train step.

        Raises:
          ConfigurationError: Environment and agent do not fit.
        """
        train_step = train_utils.create_train_step()
        agent = self.agent(*_tensor_specs(environment), train_step)
        agent.initialize()
        return agent, train_step


def _tensor_specs(
    environment: py_environment.PyEnvironment,
) -> tuple[ts.TimeStep, types.NestedTensorSpec]:
    """The environment's time step and action specs, as TensorFlow's."""
    return (
        tensor_spec.from_spec(environment.time_step_spec()),
        tensor_spec.from_spec(environment.action_spec()),
    )


def load_text(text: str) -> Experiment:
    """Builds the experiment from gin text; forgets what gin held before.

    Raises:
      ConfigurationError: The text, a name or a value in it is wrong.
    """
    gin.clear_config()
    try:
        gin.parse_config(text, skip_unknown=False)
        return Experiment()
    except ConfigurationError:
        raise
    except _GIN_ERRORS as error:
        raise ConfigurationError(f"gin: {_one_line(error)}") from error


def load_file(path: Path, bindings: Sequence[str] = ()) -> Experiment:
    """Builds the experiment from a gin file; `bindings` win over the file.

    Raises:
      ConfigurationError: The file, a name or a value in it is wrong.
    """
    text = "\n".join([f"include {str(path)!r}", *bindings])
    return load_text(text)


def effective_text() -> str:
    """All bindings in force, as gin text that `load_text` takes on any host."""
    return str(gin.config_str(max_line_length=100))


def operative_text() -> str:
    """All values used so far, bound or default, by what has been built."""
    return str(gin.operative_config_str(max_line_length=100))


def _one_line(error: Exception) -> str:
    """The whole message, gin's hint of the place included, on one line."""
    if isinstance(error, SyntaxError):
        return f"{error.msg} (line {error.lineno}: {str(error.text).strip()})"
    return " ".join(str(error).split()) or type(error).__name__
