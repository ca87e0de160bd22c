"""Each role started by hand with a wrong flag: one line, exit code 2, at once."""

from __future__ import annotations

import socket
from pathlib import Path

import portpicker
import pytest

from tests.bad_input.conftest import Refuse

JOINING = ("actor", "learner", "eval_job", "reverb_server.peek")
ROLES = ("reverb_server", *JOINING)

# Nobody answers here, so a flag that is looked at too late is waited for in vain.
NOBODY = "--server_address=localhost:1"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("stray", "unknown argument 'stray'; flags are written --name=value."),
        ("--nope=1", "Unknown command line flag 'nope'"),
        ("-", "unknown argument '-'"),
    ],
)
def test_what_is_no_flag(role: str, argument: str, said: str, refuse: Refuse) -> None:
    assert said in refuse(role, argument)


@pytest.mark.parametrize("role", JOINING)
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "--server_address is required, e.g. --server_address=localhost:8008."),
        (("--server_address=",), "--server_address is required"),
        (("--server_address=localhost",), "'localhost'; it must be host:port"),
        (("--server_address=localhost:",), "'localhost:'; it must be host:port"),
        (("--server_address=:8008",), "':8008'; it must be host:port"),
        (("--server_address=localhost:0",), "with a port from 1 to 65535"),
        (("--server_address=localhost:70000",), "with a port from 1 to 65535"),
        (("--server_address=localhost:-5",), "with a port from 1 to 65535"),
        (("--server_address=localhost:eighty",), "with a port from 1 to 65535"),
        (("--server_address=::1:8008",), "'::1:8008'; it must be host:port"),
        (("--server_address=http://a:80",), "'http://a:80'; it must be host:port"),
        (("--server_address=no.such.host.invalid:80",), "cannot be resolved"),
        (("--server_address=a..b:80",), "cannot be resolved"),
        (("--server_address=[::zz]:80",), "cannot be resolved"),
    ],
)
def test_an_address_that_cannot_be(
    role: str, flags: tuple[str, ...], said: str, refuse: Refuse
) -> None:
    assert said in refuse(role, *flags)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("actor", "--task=-1"), "--task is -1; it must be a whole number >= 0."),
        (("actor", "--task=one"), "flag --task=one"),
        (("learner", "--max_train_steps=0"), "--max_train_steps is 0"),
        (("learner", "--max_train_steps=-3"), "--max_train_steps is -3"),
        (("learner", "--max_train_steps=1e3"), "flag --max_train_steps=1e3"),
        (("learner", "--require_gpu"), "is to train on 1 GPU (--learner_device=gpu, "),
        (("learner", "--learner_device=gpu"), "but TensorFlow sees none on this host"),
        (("learner", "--learner_gpus=2"), "--learner_device=cpu trains without."),
        (("learner", "--learner_device=tpu"), "flag --learner_device=tpu"),
        (
            ("learner", "--learner_device=cpu", "--require_gpu"),
            "--learner_device=cpu hides all GPUs, but --require_gpu asks for one",
        ),
        (("eval_job", "--target_return=nan"), "--target_return is nan"),
        (("eval_job", "--target_return=-inf"), "--target_return is -inf"),
        (("eval_job", "--target_return=high"), "flag --target_return=high"),
        (("replay_shard",), "--shard is required, e.g. --shard=1."),
        (("replay_shard", "--shard=0"), "--shard is 0; it must be a whole number >= 1"),
        (("replay_shard", "--shard=one"), "flag --shard=one"),
        (("replay_shard", "--shard=1", "--port=0"), "--port is 0; it must be from 1"),
        (("reverb_server.peek", "--items=-1"), "--items is -1"),
    ],
)
def test_a_value_is_refused_before_the_server_is_waited_for(
    arguments: tuple[str, ...], said: str, refuse: Refuse
) -> None:
    assert said in refuse(*arguments, NOBODY)


@pytest.mark.parametrize("role", ["learner", "eval_job"])
def test_a_folder_is_refused_before_the_server_is_waited_for(
    role: str, refuse: Refuse, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert "--root_dir is required" in refuse(role, NOBODY, "--root_dir=")
    message = refuse(role, NOBODY, "--root_dir=file")
    assert "--root_dir file cannot be written (File exists)" in message
    message = refuse(role, NOBODY, "--root_dir=file/below")
    assert "--root_dir file/below cannot be written (Not a directory)" in message


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "--root_dir is required, e.g. --root_dir=runs/my_run."),
        (("--root_dir=",), "--root_dir is required"),
        (("--root_dir=/proc/nope",), "--root_dir /proc/nope cannot be written"),
        (("--root_dir=x", "--num_actors=0"), "--num_actors is 0"),
        (("--root_dir=x", "--num_actors=-2"), "--num_actors is -2"),
        (("--root_dir=x", "--num_actors=2.5"), "flag --num_actors=2.5"),
        (("--root_dir=x", "--port=0"), "--port is 0; it must be from 1 to 65535."),
        (("--root_dir=x", "--port=70000"), "--port is 70000"),
        (("--root_dir=x", "--port=-5"), "--port is -5"),
        (("--root_dir=x", "--metrics_port=0"), "--metrics_port is 0; it must be a"),
        (("--root_dir=x", "--metrics_host=::1"), "means nothing without --metrics_por"),
        (("--root_dir=x", "--seed=-1"), "flag --seed=-1"),
        (("--root_dir=x", "--seed=dice"), "flag --seed=dice"),
    ],
)
def test_a_server_refuses_a_value_and_makes_no_folder(
    flags: tuple[str, ...], said: str, refuse: Refuse, tmp_path: Path
) -> None:
    assert said in refuse("reverb_server", *flags)
    assert list(tmp_path.iterdir()) == []


def test_a_server_refuses_a_port_that_another_program_has(
    refuse: Refuse, tmp_path: Path
) -> None:
    port = portpicker.pick_unused_port()
    with socket.socket() as other:
        other.bind(("", port))
        other.listen()
        message = refuse("reverb_server", "--root_dir=x", f"--port={port}")
    assert f"--port {port} is in use by another process" in message
    assert list(tmp_path.iterdir()) == []


def test_a_server_refuses_a_port_for_the_figures_that_another_program_has(
    refuse: Refuse, tmp_path: Path
) -> None:
    port = portpicker.pick_unused_port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        message = refuse(
            "reverb_server", "--root_dir=x", f"--port={port}", f"--metrics_port={taken}"
        )
    assert f"--metrics_port {taken} at 127.0.0.1 is in use by another" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--gin_file=nope.gin", "--gin_file is 'nope.gin', which is neither a file"),
        ("--gin_file=.", "--gin_file is '.', which is neither a file"),
        (f"--gin_file={'x' * 300}", "which is neither a file"),
        ("--gin_bindings=Replay.batch_size = 0", "Replay.batch_size is 0"),
        ("--gin_bindings=Replay.batch_size", "gin: Couldn't parse statement"),
        ("--gin_bindings=dqn_agent.gamma = 1.5", "dqn_agent.gamma is 1.5"),
        ("--gin_bindings=gym_environment.name = 'CartPole-v7'", "did you mean CartP"),
        ("--gin_bindings=sac_agent.gamma = 0.9", "dqn_agent is called instead; leave"),
        ("--gin_bindings=Replay.max_size = 10**9", "gin: Expected newline"),
        (f"--gin_bindings=Replay.max_size = {10**12}", "of memory; set it to"),
    ],
)
def test_a_server_refuses_what_cannot_be_learned(
    flag: str, said: str, refuse: Refuse
) -> None:
    port = portpicker.pick_unused_port()
    message = refuse("reverb_server", "--root_dir=x", f"--port={port}", flag)
    assert said in message


def test_a_server_refuses_precision_that_no_layer_has(refuse: Refuse) -> None:
    """It makes the agent once as the learner would."""
    message = refuse(
        "reverb_server",
        "--root_dir=x",
        f"--port={portpicker.pick_unused_port()}",
        "--gin_file=recurrent_dqn_cartpole.gin",
        "--gin_bindings=Train.mixed_precision = True",
    )
    assert "no layer of RecurrentDdqnAgent takes part; set it to False" in message


def test_a_server_refuses_its_own_port_for_the_figures(
    refuse: Refuse, tmp_path: Path
) -> None:
    """Nobody else has it."""
    port = portpicker.pick_unused_port()
    flags = f"--port={port}", f"--metrics_port={port}"
    message = refuse("reverb_server", "--root_dir=x", *flags)
    assert f"--metrics_port is {port}, which is the replay server's own" in message
    assert list(tmp_path.iterdir()) == []
