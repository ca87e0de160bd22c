"""`python -m benchmarks.stock_roles`: one process of TF-Agents' stock wiring.

Server, learner and actor do what `sac_reverb_server.py`, `sac_train.py` and
`sac_collect.py` of `tf_agents/experimental/distributed/examples/sac` do, with DQN and
CartPole-v1. What differs:

- Each process builds the agent itself instead of waiting for a SavedModel.
- An actor takes 1,000 random steps first, not 10,000: they are not measured.
- An actor logs no line for each step: it would only slow it down.
- 50 batches are prefetched, as in `tf_agents/examples/sac/haarnoja18`, not 3.

Writer and sampler are the same replay path, with nothing else beside it. Each process
prints JSON lines, for whoever measures; all end by SIGTERM.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import reverb
from absl import flags
from tf_agents.metrics import py_metrics
from tf_agents.policies import py_tf_eager_policy, random_py_policy
from tf_agents.train import actor as actor_lib
from tf_agents.train import learner as learner_lib
from tf_agents.train import triggers
from tf_agents.trajectories import policy_step, trajectory
from tf_agents.trajectories import time_step as ts

from benchmarks import stock_parts
from experiment import process, proxy
from experiment.errors import EXIT_FINISHED
from reverb_server import address as address_lib

_ROLE = flags.DEFINE_enum(
    "role", None, ["server", "learner", "actor", "writer", "sampler"], "What to be."
)
_PORT = flags.DEFINE_integer("port", 8008, "Of the Reverb server on this machine.")
_ROOT_DIR = flags.DEFINE_string(
    "root_dir", "runs/stock", "Folder of learner and actors."
)
_TASK = flags.DEFINE_integer("task", 0, "Number of the actor.")
_ITEMS = flags.DEFINE_integer("items", None, "What the writer writes; None: no end.")
_SECONDS = flags.DEFINE_float("seconds", 5.0, "Over which the sampler counts.")
flags.mark_flag_as_required("role")

# Those of the example; no measurement gets there.
_MAX_TRAIN_STEPS = 2_000_000

# Seconds between two reports of the server.
_REPORT_S = 0.1

# Seconds that an answer of the server to itself may take.
_ANSWER_TIMEOUT_S = 30

# Of the writer's ready-made episode.
_EPISODE_STEPS = 200

# The sampler's first batches, which fill buffers and are not counted.
_WARM_UP_BATCHES = 50


def serve(port: int) -> None:
    """Serves for ever, and reports what was inserted."""
    server = reverb.Server(tables=stock_parts.make_tables(), port=port)
    client = server.localhost_client()
    while True:
        info = client.server_info(timeout=_ANSWER_TIMEOUT_S)
        inserted = {
            table: info[table].rate_limiter_info.insert_stats.completed
            for table in (stock_parts.TABLE, stock_parts.VARIABLES)
        }
        stock_parts.report(
            time=time.monotonic(),
            transitions=inserted[stock_parts.TABLE],
            pushes=inserted[stock_parts.VARIABLES],
        )
        time.sleep(_REPORT_S)


def learn(address: str, root_dir: Path) -> None:
    """Learns; pushes the weights after every update."""
    agent, train_step = stock_parts.make_agent()
    save_model_trigger = triggers.PolicySavedModelTrigger(
        str(root_dir / learner_lib.POLICY_SAVED_MODEL_DIR),
        agent,
        train_step,
        interval=1000,
    )
    variables = stock_parts.variables_of(agent, train_step)
    container = stock_parts.make_container(address)
    container.push(variables)
    replay = stock_parts.make_replay(address, agent)
    learner = learner_lib.Learner(
        str(root_dir),
        train_step,
        agent,
        lambda: replay.as_dataset(
            sample_batch_size=stock_parts.BATCH_SIZE, num_steps=2
        ).prefetch(50),
        triggers=[
            save_model_trigger,
            triggers.StepPerSecondLogTrigger(train_step, interval=1000),
        ],
    )
    while train_step.numpy() < _MAX_TRAIN_STEPS:
        learner.run(iterations=1)
        container.push(variables)
        if train_step.numpy() == 1:
            stock_parts.report(train_step=1)


def collect(address: str, root_dir: Path, task: int) -> None:
    """Collects; pulls the weights after every step."""
    environment = stock_parts.make_environment()
    agent, train_step = stock_parts.make_agent()
    variables = stock_parts.variables_of(agent, train_step)
    container = stock_parts.make_container(address)
    container.update(variables)
    observer = stock_parts.make_observer(address)
    random_policy = random_py_policy.RandomPyPolicy(
        environment.time_step_spec(), environment.action_spec()
    )
    actor_lib.Actor(
        environment,
        random_policy,
        train_step,
        steps_per_run=stock_parts.MIN_SIZE_TO_SAMPLE,
        observers=[observer],
    ).run()
    env_step_metric = py_metrics.EnvironmentSteps()
    actor = actor_lib.Actor(
        environment,
        py_tf_eager_policy.PyTFEagerPolicy(agent.collect_policy, use_tf_function=True),
        train_step,
        steps_per_run=1,
        metrics=actor_lib.collect_metrics(10),
        summary_dir=str(root_dir / learner_lib.TRAIN_DIR / str(task)),
        observers=[observer, env_step_metric],
    )
    while train_step.numpy() < _MAX_TRAIN_STEPS:
        actor.run()
        container.update(variables)
        if env_step_metric.result() == 1:
            stock_parts.report(env_steps=1)


def make_episode(steps: int) -> list[trajectory.Trajectory]:
    """An episode as PyDriver hands it to its observers, of random numbers.

    Args:
      steps: Transitions.

    Returns:
      The trajectories, and the one from the end to the next episode.
    """
    random = np.random.default_rng(0)
    first, *others, last = random.normal(size=(steps + 1, 4)).astype(np.float32)
    time_steps = [
        ts.restart(first),
        *(ts.transition(observation, np.float32(1)) for observation in others),
        ts.termination(last, np.float32(1)),
        ts.restart(first),
    ]
    actions = random.integers(2, size=steps + 1)
    return [
        trajectory.from_transition(
            before, policy_step.PolicyStep(np.asarray(action)), after
        )
        for before, action, after in zip(time_steps, actions, time_steps[1:])
    ]


def write(address: str, items: int | None) -> None:
    """Writes the same episode again and again.

    Args:
      address: host:port.
      items: Transitions, in whole episodes; None writes for ever.
    """
    observer = stock_parts.make_observer(address)
    episode = make_episode(_EPISODE_STEPS)
    written = 0
    while items is None or written < items:
        for step in episode:
            observer(step)
        written += _EPISODE_STEPS
    observer.close()
    stock_parts.report(written=written)


def sample(address: str, seconds: float) -> None:
    """Counts how many transitions a second come out of the stock dataset."""
    agent, _ = stock_parts.make_agent()
    replay = stock_parts.make_replay(address, agent)
    dataset = replay.as_dataset(
        num_parallel_calls=3, sample_batch_size=stock_parts.BATCH_SIZE, num_steps=2
    ).prefetch(3)
    iterator = iter(dataset)
    for _ in range(_WARM_UP_BATCHES):
        next(iterator)
    batches = 0
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
        next(iterator)
        batches += 1
    stock_parts.report(transitions_per_s=batches * stock_parts.BATCH_SIZE / elapsed)


def main() -> int:
    """Parses, connects, plays the role."""
    address = f"localhost:{_PORT.value}"
    if _ROLE.value == "server":
        proxy.bypass("localhost")
        serve(_PORT.value)
    address_lib.connect(address, should_stop=lambda: False)
    if _ROLE.value == "learner":
        learn(address, Path(_ROOT_DIR.value))
    elif _ROLE.value == "actor":
        collect(address, Path(_ROOT_DIR.value), _TASK.value)
    elif _ROLE.value == "writer":
        write(address, _ITEMS.value)
    else:
        sample(address, _SECONDS.value)
    return EXIT_FINISHED


if __name__ == "__main__":
    process.run(main)
