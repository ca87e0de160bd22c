"""experiment/proxy.py: what gRPC sends through a proxy, and how it is passed by."""

from __future__ import annotations

import os

import pytest

from experiment import proxy


def test_what_passed_by_the_proxy_before_still_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The host is added once, without brackets."""
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    monkeypatch.setenv("no_proxy", "example.org,localhost")
    for _ in range(2):
        proxy.bypass("[::1]")
    assert os.environ["no_proxy"] == "example.org,localhost,::1,127.0.0.1"


def test_the_variable_that_grpc_reads_first_is_the_one_that_is_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would not look at the other."""
    monkeypatch.setenv("no_proxy", "example.org")
    monkeypatch.setenv("no_grpc_proxy", "")
    proxy.bypass("localhost")
    assert proxy.exempt() == ("no_grpc_proxy", ["localhost", "127.0.0.1"])
    assert os.environ["no_proxy"] == "example.org"
