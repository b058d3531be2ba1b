# SPDX-License-Identifier: BSD-3-Clause
"""VTrace's own losses: counted, shown, and nobody blamed for what only VTrace did not see."""

import contextlib
import os
import signal
import time

from checks import show
from lab import AGENTS, System
from test_traces import attached

FLOW = "udp and src host 10.0.1.1 and dst host 10.0.1.2 and dst port 53"


def check_nobody_is_blamed(result, node):
    """What was not seen is unfinished, no cause is made of it, and the node is named or its records are counted."""
    packets = result["packets"]
    assert result["causes"] == [] and result["verdict"] is None, show(result)
    assert packets["lost"] == packets["dropped"] == 0, show(result)
    assert packets["delivered"] + packets["unfinished"] == packets["coloured"] > 0, show(result)
    named = [failed["node"] for failed in result["nodes"]["failed"]]
    assert node in named or result["records"]["missing"] > 0, show(result)


def test_a_node_without_agent(lab):
    system = System(lab, {node: options for node, options in AGENTS.items() if node != "b"})
    try:
        lab.meet("vm1", "10.0.1.2")
        result = system.trace(FLOW, lambda: lab.send_udp("vm1", "10.0.1.2", 53, 10))
        assert result["causes"] == [] and result["packets"]["unfinished"] == 10, show(result)
        error = "no agent has this underlay address, and 10 packets left for it"
        assert result["nodes"] == {"armed": 2, "failed": [{"node": "172.31.0.2", "error": error}]}, show(result)
        said = system.cli("result", FLOW).stdout
        assert f"node 172.31.0.2 took no part: {error}" in said, said
    finally:
        assert system.stop() == []


def test_an_agent_is_killed_and_comes_back(lab, agents):
    lab.meet("vm1", "10.0.1.2")
    trace = agents.add(FLOW, 20, 4)
    lab.send_udp("vm1", "10.0.1.2", 53, 5)
    agents.agents["b"].kill()
    lab.send_udp("vm1", "10.0.1.2", 53, 5, seed=2)
    agents.start_agent("b")
    lab.send_udp("vm1", "10.0.1.2", 53, 5, seed=3)
    result = trace.end()
    assert result["packets"]["coloured"] == 15 and result["packets"]["unfinished"] > 0, show(result)
    check_nobody_is_blamed(result, "b")
    said = agents.cli("result", trace.id).stdout
    assert "node b" in said and "unfinished" in said, said


def wait_detached(lab):
    """The agents have let go of the trace that the server does not know any more."""
    deadline = time.monotonic() + 5
    while any(attached(lab, node)["tcx"] for node in AGENTS):
        assert time.monotonic() < deadline, {node: attached(lab, node) for node in AGENTS}


def test_the_server_is_killed_and_comes_back(lab, agents):
    """The running trace ends without a verdict and says why; the agents come back by themselves, and tracing goes on."""
    lab.meet("vm1", "10.0.1.2")
    trace = agents.add(FLOW, 20, 30)
    lab.send_udp("vm1", "10.0.1.2", 53, 5)
    agents.server.kill()
    agents.start_server()
    result = trace.wait_state("failed", "done", "cancelled", timeout=10)
    assert result["state"] == "failed" and result["error"], show(result)
    assert result["causes"] == [], show(result)
    for node in AGENTS:
        agents.wait_connected(node)
    again = agents.trace(FLOW, lambda: lab.send_udp("vm1", "10.0.1.2", 53, 10, seed=4), count=10)
    assert again["packets"]["delivered"] == 10 and again["causes"] == [], show(again)
    assert result["error"] in agents.cli("result", trace.id).stdout
    wait_detached(lab)


@contextlib.contextmanager
def cut(lab):
    """The management network loses whatever comes from host b."""
    lab.run("ctl", "nft", "table bridge cut { chain i { type filter hook input priority 0; ip saddr 172.30.0.2 counter drop; }; }")
    try:
        yield
    finally:
        lab.run("ctl", "nft", "delete table bridge cut")


def wait_cut_lost(lab):
    """Until the cut has taken something of host b's."""
    deadline = time.monotonic() + 5
    while "packets 0 bytes 0" in lab.run("ctl", "nft", "list", "table", "bridge", "cut").stdout:
        assert time.monotonic() < deadline, "nothing came from host b"


def test_batches_wait_for_the_network(lab, agents):
    """The way from host b's agent to the server is cut while packets flow: its records arrive once it is mended."""
    lab.meet("vm1", "10.0.1.2")

    def send():
        with cut(lab):
            lab.send_udp("vm1", "10.0.1.2", 53, 10)
            wait_cut_lost(lab)

    result = agents.trace(FLOW, send)
    assert result["packets"]["delivered"] == 10 and result["causes"] == [], show(result)


def test_batches_that_never_come(lab, agents):
    lab.meet("vm1", "10.0.1.2")
    trace = agents.add(FLOW, 10, 3)
    with cut(lab):
        lab.send_udp("vm1", "10.0.1.2", 53, 10)
        result = trace.end()
    assert result["packets"]["unfinished"] == 10, show(result)
    check_nobody_is_blamed(result, "b")


def test_an_agent_that_stands_still(lab, agents):
    """Host b's records come after everybody has stopped waiting for them: nothing is claimed of its packets."""
    lab.meet("vm1", "10.0.1.2")
    pid = agents.agents["b"].pid
    trace = agents.add(FLOW, 10, 3)
    os.kill(pid, signal.SIGSTOP)
    try:
        lab.send_udp("vm1", "10.0.1.2", 53, 10)
        result = trace.end()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert result["packets"]["unfinished"] == 10, show(result)
    check_nobody_is_blamed(result, "b")


def test_the_ring_of_records_is_full(lab, agents):
    """Host a's agent stands still while more packets pass than its ring holds (8 MB, two records a packet)."""
    lab.meet("vm1", "10.0.1.4")
    lab.absorb("10.0.1.4", 53)
    pid = agents.agents["a"].pid
    trace = agents.add("udp and src host 10.0.1.1 and dst host 10.0.1.4 and dst port 53", 40000, 4)
    os.kill(pid, signal.SIGSTOP)
    try:
        lab.send_udp("vm1", "10.0.1.4", 53, 40000, rate=40000)
    finally:
        os.kill(pid, signal.SIGCONT)
    result = trace.end()
    assert result["packets"]["coloured"] == 40000 and result["records"]["missing"] > 0, show(result)
    assert result["packets"]["lost"] == 0, show(result)
    assert [c for c in result["causes"] if c["code"] != "socket-full"] == [], show(result)
    said = agents.cli("result", trace.id).stdout
    assert "lost on VTrace's own side" in said, said
