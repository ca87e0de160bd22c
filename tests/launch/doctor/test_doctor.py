"""`python -m launch.doctor` as a user starts it, on a sound machine and on others."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import portpicker
import psutil
import pytest

from experiment import definition
from reverb_server.server import RunServer
from tests.launch.small_checkout import ROOT
from tests.reverb_server.run_for_tests import GIN_TEXT, manifest
from tests.reverb_server.waiting import wait_until

LINE = re.compile(r"(ok|warn|fail) +(\S+) +(\S.*)")

BARE = [
    "python",
    "system",
    "processor",
    "init",
    "proxy",
    "localhost",
    "ports",
    "checkout",
    "variables",
    "environment",
    "packages",
]
INSTALLED = ["port", "ffmpeg", "root_dir", "limits"]
IMPORTS = ["gym", "tensorflow", "dm-reverb", "tf-agents", "antiphon"]
PRESET = ["gpu", "preset", "disk", "memory"]
BENCHMARK = ["acting", "replay", "learning"]
SERVER = ["server", "run", "versions", "layout", "tables", "members"]

LEVELS = ("ok", "warn", "fail")

Findings = dict[str, tuple[str, str]]


def doctor(
    *arguments: str, python: tuple[str, ...] = (), **env: str
) -> tuple[int, Findings]:
    """Its exit code, and level and text by the names of the checks, in order."""
    done = subprocess.run(
        [sys.executable, *python, "-m", "launch.doctor", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.stderr == ""
    *lines, last = done.stdout.splitlines()
    found: Findings = {}
    for line in lines:
        match = LINE.fullmatch(line)
        assert match, line
        found[match[2]] = match[1], match[3]
    levels = [level for level, _ in found.values()]
    assert len(found) == len(lines)
    verdict = "a run will fail" if "fail" in levels else "a run can start"
    counted = ", ".join(f"{levels.count(each)} {each}" for each in LEVELS)
    assert last == f"{verdict}: {counted}"
    return done.returncode, found


def test_a_machine_that_works_passes_every_check(tmp_path: Path) -> None:
    """Beside a run, whose server is looked at too."""
    port = portpicker.pick_unused_port()
    server = RunServer(definition.load_text(GIN_TEXT), manifest(tmp_path / "run"), port)
    server.keep_rows(is_due=True)
    root_dir = tmp_path / "new" / "run"
    code, found = doctor(f"--server_address=localhost:{port}", f"--root_dir={root_dir}")
    server.stop()
    assert code == 0
    assert [*found] == [*BARE, *INSTALLED, *IMPORTS, *PRESET, *BENCHMARK, *SERVER]
    # Others may be at work on this machine.
    warned = {name for name, (level, _) in found.items() if level == "warn"}
    assert warned <= {"processor", "tables", "members", *IMPORTS, "memory", "proxy"}
    assert "no weights yet; see whether the learner" in found["tables"][1]
    assert server.manifest.run_id in found["run"][1]
    for name in BENCHMARK:
        rates = re.findall(
            r"([\d,]+) (?:env steps|transitions|gradient steps)", found[name][1]
        )
        assert all(int(rate.replace(",", "")) > 10 for rate in rates), found[name]
        assert rates
    assert not root_dir.parent.exists()


def test_without_any_package_it_says_what_to_do() -> None:
    """As before any set-up: -S leaves the standard library only."""
    code, found = doctor(python=("-S",))
    assert code == 1
    assert [*found] == BARE
    level, line = found["packages"]
    assert level == "fail"
    assert "dm-reverb is missing (0.14.* is needed)" in line
    assert "run launch/setup.sh" in line


def install(folder: Path, *packages: str) -> str:
    """A folder for PYTHONPATH with these packages, and no others."""
    for package in packages:
        distribution = metadata.distribution(package)
        for name in {Path(file).parts[0] for file in distribution.files or ()}:
            if name not in ("..", "__pycache__"):
                (folder / name).symlink_to(str(distribution.locate_file(name)))
    return str(folder)


def test_what_needs_no_missing_package_is_checked_nevertheless(tmp_path: Path) -> None:
    """Here ffmpeg is missing, and all big packages are."""
    path = install(tmp_path, "absl-py", "portpicker", "psutil")
    code, found = doctor(python=("-S",), PYTHONPATH=path)
    assert code == 1
    assert [*found] == [*BARE, "port", "root_dir", "limits"]
    assert {name for name, (level, _) in found.items() if level == "fail"} <= {
        "packages"
    }


def another_numpy(folder: Path) -> str:
    """A folder for PYTHONPATH that tells of NumPy 2."""
    info = folder / "numpy-2.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: numpy\nVersion: 2.0.0\n")
    return str(folder)


def test_packages_that_do_not_fit_do_not_end_the_checks(tmp_path: Path) -> None:
    """What works with them nevertheless is told as well."""
    code, found = doctor("--no_benchmark", PYTHONPATH=another_numpy(tmp_path))
    assert code == 1
    assert [*found] == [*BARE, *INSTALLED, *IMPORTS, *PRESET]
    assert "numpy 2.0.0 (1.* is needed)" in found["packages"][1]
    failed = [name for name, (level, _) in found.items() if level == "fail"]
    assert failed == ["packages"]


def test_packages_that_do_not_fit_are_imported_to_see_what_breaks(
    tmp_path: Path,
) -> None:
    """The cause is said where it shows."""
    shadow(tmp_path, "tensorflow", "raise ImportError('numpy.core failed to import')")
    _, found = doctor(PYTHONPATH=another_numpy(tmp_path))
    assert [*found] == [*BARE, *INSTALLED, "gym", "tensorflow"]
    assert "(its binary part is made for another NumPy)" in found["tensorflow"][1]


def shadow(folder: Path, module: str, text: str) -> str:
    """A folder for PYTHONPATH with a module that takes the place of a package."""
    (folder / f"{module}.py").write_text(text)
    return str(folder)


UNDEFINED = "raise ImportError('reverb.so: undefined symbol: _ZN10tensorflow')"
KILLS = "import os, signal; os.kill(os.getpid(), signal.{})"


@pytest.mark.parametrize(
    ("package", "module", "text", "said"),
    [
        ("tensorflow", "tensorflow", KILLS.format("SIGSEGV"), "ended by SIGSEGV; "),
        ("tensorflow", "tensorflow", KILLS.format("SIGILL"), "instructions"),
        ("tensorflow", "tensorflow", KILLS.format("SIGKILL"), "free memory"),
        ("tensorflow", "tensorflow", KILLS.format("SIGALRM"), "after 90 s; see what"),
        ("tensorflow", "tensorflow", "import os; os._exit(3)", "exit code 3"),
        ("tensorflow", "tensorflow", "import nowhere", "No module named 'nowhere'"),
        ("dm-reverb", "reverb", UNDEFINED, "for another release of TensorFlow"),
    ],
)
def test_a_package_that_breaks_at_import_is_named_with_the_cause(
    package: str, module: str, text: str, said: str, tmp_path: Path
) -> None:
    """However it breaks; what builds on it is not tried."""
    path = shadow(tmp_path, module, text)
    code, found = doctor(PYTHONPATH=path)
    assert code == 1
    tried = IMPORTS[: IMPORTS.index(package) + 1]
    assert [*found] == [*BARE, *INSTALLED, *tried]
    assert found["variables"][0] == "warn"
    assert path in found["variables"][1]
    level, line = found[package]
    assert level == "fail"
    assert said in line


def test_what_a_library_prints_is_no_finding_and_every_check_has_a_deadline(
    tmp_path: Path,
) -> None:
    """The kernel ends the process that checks, in whatever call it hangs."""
    path = shadow(
        tmp_path,
        "tensorflow",
        "import signal\nprint('noise')\nprint('[1]')\n"
        "raise ImportError(f'{signal.alarm(0)} s are left')",
    )
    _, found = doctor(PYTHONPATH=path)
    left = re.search(r"(\d+) s are left", found["tensorflow"][1])
    assert left
    assert 0 < int(left[1]) <= 90


def test_what_is_asked_for_and_cannot_be_is_named(tmp_path: Path) -> None:
    """Each in a line of its own: the others are checked too."""
    (tmp_path / "file").touch()
    code, found = doctor(
        "--no_benchmark",
        "--num_actors=100000",
        f"--server_address=localhost:{portpicker.pick_unused_port()}",
        f"--root_dir={tmp_path / 'file' / 'run'}",
        https_proxy="http://127.0.0.1:9",
        no_proxy="",
        no_grpc_proxy="",
    )
    assert code == 1
    failed = {name for name, (level, _) in found.items() if level == "fail"}
    assert failed == {"root_dir", "memory", "server"}
    assert "100000 actors are to run on this machine, but with" in found["memory"][1]
    assert "no Reverb server answered at localhost:" in found["server"][1]
    assert "is no folder; name another folder" in found["root_dir"][1]
    assert found["limits"][0] == "warn"
    assert found["proxy"][0] == "warn"
    assert "export no_grpc_proxy=localhost,127.0.0.1" in found["proxy"][1]


def test_ctrl_c_ends_it_and_what_it_has_started(tmp_path: Path) -> None:
    """Also a check that hangs, and without a word."""
    started = tmp_path / "pid"
    path = shadow(
        tmp_path,
        "tensorflow",
        "import os, pathlib, signal, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        f"pathlib.Path({str(started)!r}).symlink_to(str(os.getpid()))\n"
        "time.sleep(80)",
    )
    with subprocess.Popen(
        [sys.executable, "-m", "launch.doctor"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            wait_until(started.is_symlink)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert errors == b""
    assert not psutil.pid_exists(int(str(started.readlink())))


@pytest.mark.parametrize(
    "flag", ["--num_actors=0", "--port=x", "--root_dir=", "--server=a:1", "word"]
)
def test_a_wrong_flag_is_refused(flag: str) -> None:
    """As by all other commands."""
    done = subprocess.run(
        [sys.executable, "-m", "launch.doctor", flag],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert flag.partition("=")[0].strip() in done.stderr
