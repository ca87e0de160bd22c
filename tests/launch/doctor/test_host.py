"""launch/doctor/host.py: machines and Pythons that cannot run this."""

from __future__ import annotations

import os
import platform
import sys

import pytest

from experiment import machine
from launch.doctor import host


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 9), "ok"), ((3, 10), "ok"), ((3, 11), "warn"), ((3, 12), "fail")],
)
def test_the_version_of_python_decides(
    version: tuple[int, int], level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy is the version that is preferred."""
    monkeypatch.setattr(sys, "version_info", (*version, 1, "final", 0))
    found = host.python()
    assert found.level == level
    assert (level == "ok") == (not found.remedy)
    assert level == "ok" or "install Python 3.10" in str(found)


def test_another_python_than_a_64_bit_cpython_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There are no wheels for it."""
    with monkeypatch.context() as patched:
        patched.setattr(platform, "python_implementation", lambda: "PyPy")
        assert host.python().level == "fail"
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    assert host.python().level == "fail"


@pytest.mark.parametrize(
    ("library", "level"),
    [(("glibc", "2.17"), "ok"), (("glibc", "2.9"), "fail"), (("", ""), "fail")],
)
def test_wheels_need_a_c_library(
    library: tuple[str, str], level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python knows no other by name, e.g. that of Alpine."""
    monkeypatch.setattr(platform, "libc_ver", lambda: library)
    assert host.system().level == level


@pytest.mark.parametrize(
    ("flags", "load", "level", "said"),
    [
        ("fpu avx avx2", 0.0, "ok", "load average 0.0"),
        ("fpu avx avx2", 1_000.0, "warn", "all figures will be low"),
        ("fpu sse4_2 xavx", 0.0, "fail", "no AVX instructions"),
    ],
)
def test_a_processor_needs_avx_and_some_peace(
    flags: str, load: float, level: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFlow would end with an illegal instruction."""
    monkeypatch.setattr(machine, "cpuinfo", {"flags": flags, "model name": "P"}.get)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0, 0))
    found = host.processor()
    assert found.level == level
    assert said in str(found)


def test_a_container_without_an_init_is_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reverb's clients crash in such a one."""
    assert host.init().level == "ok"
    monkeypatch.setattr(os, "getpid", lambda: 1)
    found = host.init()
    assert found.level == "warn"
    assert "--init" in found.remedy
