# SPDX-License-Identifier: BSD-3-Clause
"""Fixture `pair`: two VMs, each behind a device of its own, with an underlay between; fresh for each test."""

import os
import signal

import pytest

from device import Pair, VFD


def on_term(*_):
    """Once only: a second one would end the cleaning up that the first one began."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def pytest_configure():
    signal.signal(signal.SIGTERM, on_term)  # so that fixtures clean up on this way out, too


def pytest_collection_modifyitems(items):
    for item in items:
        if not VFD.exists():
            item.add_marker(pytest.mark.skip(reason="build/vfd/vtrace-vfd is not built: libdpdk-dev is missing"))
        elif os.geteuid() != 0 and "pair" in item.fixturenames:
            item.add_marker(pytest.mark.skip(reason="needs root: network namespaces"))


@pytest.fixture
def pair(request, tmp_path):
    made = Pair(tmp_path, **getattr(request, "param", {}))
    try:
        made.up()
        yield made
    finally:
        faults = made.down()
    assert faults == []
