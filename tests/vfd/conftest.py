# SPDX-License-Identifier: BSD-3-Clause
"""Fixture `pair`: two VMs, each behind a device of its own, with an underlay between; fresh for each test."""

import os

import pytest

from device import Pair, VFD


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
