# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures: `lab` and `agents` are fresh for each test; `shared` is one healthy lab with agents for a whole file.

Set VTRACE_PAUSE=1 to keep the lab of a failed test until Enter is pressed (with pytest -s).
"""

import os

import pytest

from lab import Lab, System


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            if {"lab", "agents", "shared"} & set(item.fixturenames):
                item.add_marker(pytest.mark.skip(reason="needs root: network namespaces and BPF"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when != "call" or not report.failed:
        return
    for name in ("agents", "shared"):
        system = item.funcargs.get(name)
        if isinstance(system, System):
            report.sections.append(("server and agents", system.logs()))
    if os.environ.get("VTRACE_PAUSE"):
        input(f"\n{item.name} failed; its lab is still up (ip netns). Enter takes it down. ")


@pytest.fixture
def lab(request):
    """A fresh lab; parametrize indirectly with a dict of options (UNDERLAY, VXLAN_PORT)."""
    made = Lab(**getattr(request, "param", {}))
    yield made
    made.down()


@pytest.fixture
def agents(lab):
    """Server and agents in the fresh lab."""
    system = System(lab)
    yield system
    assert system.stop() == []


@pytest.fixture(scope="module")
def shared():
    """One lab with server and agents for all tests of a file that break nothing."""
    made = Lab()
    try:
        system = System(made)
        yield system
        assert system.stop() == []
    finally:
        made.down()
