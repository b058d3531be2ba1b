# SPDX-License-Identifier: BSD-3-Clause
"""VTrace's own losses: counted, shown, and nobody blamed for what only VTrace did not see."""

import collections
import contextlib
import os
import re
import resource
import signal
import threading
import time

import pytest

from checks import check_healthy, check_loss, show
from lab import AGENTS, System, counts, traffic_path
from test_traces import attached

FLOW = "udp and src host 10.0.1.1 and dst host 10.0.1.2 and dst port 53"
ROUTE = [("a", "vm1", "eth0"), ("b", "eth0", "vm2")]
LATE = "armed after colouring had begun: its records are not complete"


def check_nobody_is_blamed(result):
    """What was not seen is unfinished, and no cause is made of it."""
    packets = result["packets"]
    assert result["causes"] == [] and result["verdict"] is None, show(result)
    assert packets["lost"] == packets["dropped"] == 0, show(result)
    assert packets["delivered"] + packets["unfinished"] == packets["coloured"] > 0, show(result)


def check_named(agents, trace, result, node, error):
    """This node alone is named, with this error (a pattern), in the result and in its text."""
    failed = result["nodes"]["failed"]
    assert [f["node"] for f in failed] == [node] and re.fullmatch(error, failed[0]["error"]), show(result)
    said = agents.cli("result", trace.id).stdout
    assert f"node {node}: {failed[0]['error']}" in said, said


def check_counted(agents, trace, result):
    """Records that are missing are counted, in the result and in its text."""
    missing = result["records"]["missing"]
    assert missing > 0, show(result)
    said = agents.cli("result", trace.id).stdout
    assert f"{missing} record{' was' if missing == 1 else 's were'} lost on VTrace's own side" in said, said


def test_a_node_without_agent(lab):
    system = System(lab, {node: options for node, options in AGENTS.items() if node != "b"})
    try:
        lab.meet("vm1", "10.0.1.2")
        result = system.trace(FLOW, lambda: lab.send_udp("vm1", "10.0.1.2", 53, 10))
        assert result["causes"] == [] and result["packets"]["unfinished"] == 10, show(result)
        error = "no agent has this underlay address, and 10 packets left for it"
        assert result["nodes"] == {"armed": 2, "failed": [{"node": "172.31.0.2", "error": error}]}, show(result)
        said = system.cli("result", FLOW).stdout
        assert f"node 172.31.0.2: {error}" in said, said
    finally:
        assert system.stop() == []


def wait_packets(trace, what, count, timeout=10):
    """Until the trace has so many packets of a kind; asking is what the interface offers, so it asks."""
    deadline = time.monotonic() + timeout
    while (result := trace.result())["packets"][what] < count:
        assert time.monotonic() < deadline, show(result)


def wait_attached(lab, node):
    """Until the node's agent has armed."""
    deadline = time.monotonic() + 5
    while not attached(lab, node)["tcx"]:
        assert time.monotonic() < deadline, attached(lab, node)


def ends_by_port(result):
    """{source port: {end: packets}}: a test that gives each of its senders a port of its own sees what became of whom."""
    found = {}
    for packet in result["list"]:
        port = int(re.match(r".*?:(\d+) > ", packet["flow"])[1])
        found.setdefault(port, collections.Counter())[packet["end"]] += 1
    return found


def test_an_agent_is_killed_and_comes_back(lab, agents):
    lab.meet("vm1", "10.0.1.2")
    trace = agents.add(FLOW, 15, 20)
    lab.send_udp("vm1", "10.0.1.2", 53, 5, src_port=4001)
    wait_packets(trace, "delivered", 5)
    agents.agents["b"].kill()
    lab.send_udp("vm1", "10.0.1.2", 53, 5, src_port=4002)
    agents.start_agent("b")
    wait_attached(lab, "b")
    lab.send_udp("vm1", "10.0.1.2", 53, 5, src_port=4003)
    result = trace.end("--packets")
    assert ends_by_port(result) == {4001: {"delivered": 5}, 4002: {"unfinished": 5}, 4003: {"delivered": 5}}, show(result)
    check_nobody_is_blamed(result)
    check_named(agents, trace, result, "b", "was restarted while the trace ran")


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_an_agent_that_ends(lab, agents, how):
    """It stays away, whether it said good-bye or not: what went there from then on is nobody's loss."""
    lab.meet("vm1", "10.0.1.2")
    trace = agents.add(FLOW, 10, 20)
    lab.send_udp("vm1", "10.0.1.2", 53, 5, src_port=4001)
    wait_packets(trace, "delivered", 5)
    getattr(agents.agents["b"], how)()
    lab.send_udp("vm1", "10.0.1.2", 53, 5, src_port=4002)
    result = trace.end("--packets")
    assert ends_by_port(result) == {4001: {"delivered": 5}, 4002: {"unfinished": 5}}, show(result)
    check_nobody_is_blamed(result)
    check_named(agents, trace, result, "b", "stopped answering while the trace ran")


def test_the_server_stands_still(lab, agents):
    """For some seconds it takes nothing and its clock jumps: all comes to it in the end, and nobody is blamed."""
    lab.meet("vm1", "10.0.1.2")
    pid = agents.server.pid
    trace = agents.add(FLOW, 20, 30)
    lab.absorb("10.0.1.2", 53)
    sender = lab.start("vm1", traffic_path(), "udp-send", "10.0.1.2", 53, "-c", 20, "-r", 10)
    wait_packets(trace, "coloured", 5)
    os.kill(pid, signal.SIGSTOP)
    goes_on = threading.Timer(5, os.kill, (pid, signal.SIGCONT))
    goes_on.start()
    try:
        sender.wait()
    finally:
        goes_on.join()
    check_healthy(trace.end(), 20, ROUTE)


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
    assert result["state"] == "failed" and result["causes"] == [], show(result)
    assert result["error"] == "the server was restarted while the trace ran; run it again", show(result)
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


def cut_lost(lab):
    """How many frames of host b's the cut has taken."""
    return int(re.search(r"packets (\d+)", lab.run("ctl", "nft", "list", "table", "bridge", "cut").stdout)[1])


def test_batches_wait_for_the_network(lab, agents):
    """The way from host b's agent to the server is cut while packets flow: its records arrive once it is mended."""
    lab.meet("vm1", "10.0.1.2")
    trace = agents.add(FLOW, 100, 20)
    sent = 0
    deadline = time.monotonic() + 10
    with cut(lab):
        while cut_lost(lab) < 4:  # TCP sends again after 0.2, 0.4, 0.8 s, ...
            assert sent < 90 and time.monotonic() < deadline, f"{sent} sent, {cut_lost(lab)} frames lost"
            lab.send_udp("vm1", "10.0.1.2", 53, 1, seed=sent)
            sent += 1
            wait_packets(trace, "coloured", sent)
        assert trace.result()["packets"]["delivered"] == 0
    lab.send_udp("vm1", "10.0.1.2", 53, 100 - sent, seed=100)
    check_healthy(trace.end(), 100, ROUTE)


def test_batches_that_never_come(lab, agents):
    lab.meet("vm1", "10.0.1.2")
    trace = agents.add(FLOW, 10, 3)
    with cut(lab):
        lab.send_udp("vm1", "10.0.1.2", 53, 10)
        result = trace.end()
        assert cut_lost(lab) > 0
    assert result["packets"]["unfinished"] == 10, show(result)
    check_nobody_is_blamed(result)
    check_named(agents, trace, result, "b", "stopped answering while the trace ran")


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
    check_nobody_is_blamed(result)
    check_named(agents, trace, result, "b", "stopped answering while the trace ran")


def refused_by_sockets(lab, node):
    """Datagrams for which a socket of the VM had no room, by its own count."""
    return int(lab.run(node, "nstat", "-asz", "UdpRcvbufErrors").stdout.split()[-2])


@pytest.mark.parametrize("node, vm, dst", [("a", "vm4", "10.0.1.4"), ("a", "vm2", "10.0.1.2"), ("b", "vm2", "10.0.1.2")])
def test_the_ring_of_records_is_full(lab, agents, node, vm, dst):
    """An agent stands still while more packets pass than its ring holds (8 MB, two records a packet)."""
    count = 40000
    lab.meet("vm1", dst)
    sink = lab.listen(vm, "udp-sink", 53, "-c", count, "-t", 60)
    pid = agents.agents[node].pid
    trace = agents.add(f"udp and src host 10.0.1.1 and dst host {dst} and dst port 53", count, 4)
    os.kill(pid, signal.SIGSTOP)
    try:
        lab.send_udp("vm1", dst, 53, count, rate=40000)
    finally:
        os.kill(pid, signal.SIGCONT)
    result = trace.end()
    sink.stop()
    refused = refused_by_sockets(lab, vm)
    assert counts(sink.output())["distinct"] == count - refused
    packets = result["packets"]
    assert packets["coloured"] == count and packets["lost"] == 0 and packets["unfinished"] > 0, show(result)
    assert packets["dropped"] <= refused and packets["delivered"] <= count - refused, show(result)
    for cause in result["causes"]:  # a drop that did happen may be told, and with records missing it is never certain
        told = cause["code"], cause["node"], cause["certainty"]
        assert told == ("socket-full", "a" if vm == "vm4" else "b", "inferred"), show(result)
    check_counted(agents, trace, result)


def test_the_queue_of_the_agent_is_full(lab, agents):
    """Host b's agent keeps what it cannot send up to a limit (64 batches and 65536 records more), the rest is counted."""
    count, during = 80000, 75000
    lab.meet("vm1", "10.0.1.2")
    sink = lab.listen("vm2", "udp-sink", 53, "-c", count, "-t", 60)
    trace = agents.add(FLOW, count, 40)
    with cut(lab):
        lab.send_udp("vm1", "10.0.1.2", 53, during, rate=30000)
        assert cut_lost(lab) > 0
    wait_packets(trace, "delivered", 1)
    lab.send_udp("vm1", "10.0.1.2", 53, count - during, rate=10000, seed=2)
    result = trace.end()
    assert counts(sink.wait())["received"] == count
    packets, records = result["packets"], result["records"]
    assert packets["coloured"] == count and packets["unfinished"] > 0 and packets["delivered"] > 0, show(result)
    assert records["received"] + records["missing"] == 4 * count, show(result)  # in and out, on each of two hosts
    check_nobody_is_blamed(result)
    check_counted(agents, trace, result)


@contextlib.contextmanager
def system_without(lab, node):
    """Server and agents, but for this node's, which starts later."""
    system = System(lab, {other: options for other, options in AGENTS.items() if other != node})
    try:
        yield system
    finally:
        assert system.stop() == []


@pytest.mark.parametrize("fault", [None, "nft-drop-b", "underlay-drop"])
def test_an_agent_that_comes_late(lab, fault):
    """It takes part as soon as it is there, and what it did not see is not held against anybody."""
    lab.meet("vm1", "10.0.1.2")
    if fault:
        lab.fault(fault)
    with system_without(lab, "b") as system:
        trace = system.add(FLOW, 10, 5)
        system.start_agent("b")
        wait_attached(lab, "b")
        lab.send_udp("vm1", "10.0.1.2", 53, 10)
        result = trace.end()
        check_named(system, trace, result, "b", LATE)
    packets = result["packets"]
    if fault == "nft-drop-b":  # it was seen, but a copy may have gone by before
        assert (packets["dropped"], len(result["causes"])) == (10, 1), show(result)
        cause = result["verdict"]
        assert (cause["class"], cause["code"], cause["certainty"]) == ("security-policy", "policy-nft-rule", "inferred"), show(result)
        assert (cause["node"], cause["packets"]) == ("b", 10), show(result)
        return
    check_nobody_is_blamed(result)
    assert packets["unfinished" if fault else "delivered"] == 10, show(result)


def limit_files(proc, more):
    """From now on the program may open so many files more than it has; returns the limit it had."""
    fds = [int(fd) for fd in os.listdir(f"/proc/{proc.pid}/fd")]
    old = resource.prlimit(proc.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(proc.pid, resource.RLIMIT_NOFILE, (max(fds) + 1 + more, old[1]))
    return old


@pytest.mark.parametrize("more, what", [(0, "subscribe to nftables events"), (8, "attach to device vm2")])
def test_an_agent_that_cannot_arm(lab, agents, more, what):
    """Host b's agent has run out of files: it is named with the reason, what it would have seen is unfinished."""
    lab.meet("vm1", "10.0.1.2")
    old = limit_files(agents.agents["b"], more)
    trace = agents.add(FLOW, 10, 10)
    assert not attached(lab, "b")["tcx"]
    lab.send_udp("vm1", "10.0.1.2", 53, 10)
    result = trace.end()
    assert result["packets"]["unfinished"] == 10 and result["nodes"]["armed"] == 2, show(result)
    check_nobody_is_blamed(result)
    check_named(agents, trace, result, "b", f"{what}: Too many open files.*")
    assert "root" not in result["nodes"]["failed"][0]["error"], show(result)
    resource.prlimit(agents.agents["b"].pid, resource.RLIMIT_NOFILE, old)
    check_healthy(agents.trace(FLOW, lambda: lab.send_udp("vm1", "10.0.1.2", 53, 10)), 10, ROUTE)


def test_an_agent_that_cannot_arm_elsewhere(lab, agents):
    """The gateway took no part, and no packet went there: a drop that both hosts of the flow witnessed stays proven."""
    lab.meet("vm1", "10.0.1.2")
    lab.fault("nft-drop-b")
    limit_files(agents.agents["gw"], 0)
    trace = agents.add(FLOW, 10, 10)
    lab.send_udp("vm1", "10.0.1.2", 53, 10)
    result = trace.end()
    check_loss(result, 10, "b", {"policy-nft-rule"})
    check_named(agents, trace, result, "gw", "subscribe to nftables events: Too many open files.*")
