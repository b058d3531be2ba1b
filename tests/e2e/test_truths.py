# SPDX-License-Identifier: BSD-3-Clause
"""More than one truth: several causes, a part of the packets, two directions, copies, paths that change, late records."""

import os
import signal
import sys
import threading
import time

import pytest

from checks import check_healthy, check_loss, hops_of, show
from lab import counts, traffic_path
from test_own_losses import wait_packets
from test_traces import Capture, attached

VM1_DNS = "udp and src host 10.0.1.1 and dst port 53"
ROUTE = [("a", "vm1", "eth0"), ("b", "eth0", "vm2")]
VM2_MAC = "02:00:00:00:00:02"


def told(result):
    """The causes in short, in their order."""
    return [(c["code"], c["node"], c["direction"], c["packets"]) for c in result["causes"]]


def bridge_rule(lab, node, rule):
    lab.run(node, "nft", f"table bridge t {{ chain f {{ type filter hook forward priority 0; {rule}; }}; }}")


def test_two_causes_in_one_task(lab, agents):
    for dst in ("10.0.1.2", "10.0.2.3"):
        lab.meet("vm1", dst)
    lab.fault("nft-drop-b")
    lab.fault("route-missing-gw")

    def send():
        lab.send_udp("vm1", "10.0.1.2", 53, 6)
        lab.traffic("vm1", "udp-send", "10.0.2.3", 53, "-c", 4, check=False)

    result = agents.trace(VM1_DNS, send, count=10)
    assert told(result) == [("policy-nft-rule", "b", "forward", 6), ("route-missing", "gw", "forward", 4)], show(result)
    assert result["packets"]["dropped"] == 10, show(result)


def test_one_packet_in_three(lab, agents):
    lab.meet("vm1", "10.0.1.2")
    bridge_rule(lab, "b", "udp dport 53 numgen inc mod 3 0 drop")
    result = agents.trace(VM1_DNS, lambda: lab.send_udp("vm1", "10.0.1.2", 53, 9), count=9)
    assert told(result) == [("policy-nft-rule", "b", "forward", 3)], show(result)
    assert (result["packets"]["delivered"], result["packets"]["dropped"]) == (6, 3), show(result)
    assert result["verdict"]["certainty"] == "proven", show(result)


def test_one_flow_of_several(lab, agents):
    """Of three flows in one task only one is lost: its path says which."""
    lab.meet("vm1", "10.0.1.2")
    bridge_rule(lab, "b", "udp dport 54 drop")

    def send():
        for port in (53, 54, 55):
            lab.send_udp("vm1", "10.0.1.2", port, 3)

    result = agents.trace("udp and src host 10.0.1.1 and dst host 10.0.1.2", send, count=9)
    assert told(result) == [("policy-nft-rule", "b", "forward", 3)], show(result)
    lossy = [path for path in result["paths"] if path["end"] == "dropped"]
    assert [":54 " in path["flow"] for path in lossy] == [True], show(result)


def test_each_direction_has_its_cause(lab, agents):
    lab.listen("vm3", "udp-echo", 53, "-c", 6)
    lab.meet("vm1", "10.0.2.3")
    lab.run("gw", "nft", "table inet t { chain f { type filter hook forward priority 0; udp dport 53 numgen inc mod 2 0 drop; }; }")
    bridge_rule(lab, "a", "udp sport 53 drop")
    result = agents.trace(
        "udp and src host 10.0.1.1 and dst host 10.0.2.3 and dst port 53",
        lambda: lab.send_udp("vm1", "10.0.2.3", 53, 12), count=12, seconds=3, bidirectional=True,
    )
    assert sorted(told(result)) == [("policy-nft-rule", "a", "reverse", 6), ("policy-nft-rule", "gw", "forward", 6)], show(result)
    assert result["packets"]["delivered"] == 6, show(result)


def test_copies_that_nobody_wants_are_no_loss(lab, agents):
    """Host a does not know where vm2 lives and floods: the gateway's copy is dropped there, host b's arrives."""
    lab.meet("vm1", "10.0.1.2")
    lab.run("a", "bridge", "fdb", "del", VM2_MAC, "dev", "vx100", "dst", "172.31.0.2", "self")
    result = agents.trace(VM1_DNS, lambda: lab.send_udp("vm1", "10.0.1.2", 53, 10), count=10)
    assert result["packets"]["delivered"] == 10 and result["causes"] == [], show(result)


def test_a_path_that_changes(lab, agents):
    """The entry of vm2 is moved to a host that has no such VM while packets flow: before well, then lost there."""
    lab.meet("vm1", "10.0.1.2")

    def send():
        lab.send_udp("vm1", "10.0.1.2", 53, 5)
        lab.run("a", "bridge", "fdb", "replace", VM2_MAC, "dev", "vx100", "dst", "172.31.0.3", "self", "permanent")
        lab.send_udp("vm1", "10.0.1.2", 53, 5, seed=2)

    result = agents.trace(VM1_DNS, send, count=10)
    assert result["packets"]["delivered"] == 5 and result["packets"]["dropped"] == 5, show(result)
    assert told(result) == [("wrong-mac", "gw", "forward", 5)], show(result)
    assert result["verdict"]["class"] == "tenant-config" and result["verdict"]["certainty"] == "proven", show(result)


def test_a_retransmission_arrives(lab, agents):
    """A segment is dropped and sent again: the drop is told, the rest of the flow is delivered."""
    lab.meet("vm1", "10.0.1.2")
    lab.run("vm1", "ethtool", "-K", "eth0", "tso", "off", "gso", "off")
    bridge_rule(lab, "b", "tcp dport 80 numgen inc mod 4 3 drop")
    sink = lab.listen("vm2", "tcp-sink", 80)
    result = agents.trace(
        "tcp and src host 10.0.1.1 and dst host 10.0.1.2 and dst port 80",
        lambda: lab.traffic("vm1", "tcp-send", "10.0.1.2", 80, "-s", 30000), count=10000, seconds=3,
    )
    assert counts(sink.wait()) == {"received": 1, "bytes": 30000, "bad": 0}
    packets = result["packets"]
    assert told(result) == [("policy-nft-rule", "b", "forward", packets["dropped"])], show(result)
    assert result["verdict"]["certainty"] == "proven" and result["records"]["missing"] == 0, show(result)
    assert packets["dropped"] > 0 and packets["delivered"] > 0 and packets["lost"] == 0, show(result)
    assert packets["delivered"] + packets["dropped"] + packets["unfinished"] == packets["coloured"], show(result)


def test_an_entry_with_two_hosts(lab, agents):
    """Host a sends every packet for vm2 to host b and to the gateway, which drops its copy."""
    lab.meet("vm1", "10.0.1.2")
    lab.run("a", "bridge", "fdb", "append", VM2_MAC, "dev", "vx100", "dst", "172.31.0.3", "self", "permanent")
    result = agents.trace(VM1_DNS, lambda: lab.send_udp("vm1", "10.0.1.2", 53, 10), count=10)
    assert result["packets"]["delivered"] == 10 and result["causes"] == [], show(result)


def test_duplicated_packets(lab, agents):
    """The underlay switch delivers every packet of host a twice."""
    lab.meet("vm1", "10.0.1.2")
    lab.run("wire", "nft", 'table netdev t { chain i { type filter hook ingress device "a" priority 0; udp dport 4789 dup to "b"; }; }')
    result = agents.trace(VM1_DNS, lambda: lab.send_udp("vm1", "10.0.1.2", 53, 10), count=10)
    assert result["packets"]["delivered"] == 10 and result["causes"] == [], show(result)
    assert result["packets"]["coloured"] == 10, show(result)


def test_one_of_two_ways(lab, agents):
    """The gateway spreads flows over two next hops, one of which nobody answers for: just the flows that go there are lost."""
    flows = 16
    lab.meet("vm1", "10.0.2.3")
    lab.run("gw", "sysctl", "-qw", "net.ipv4.fib_multipath_hash_policy=1")
    lab.run("gw", "ip", "route", "add", "10.0.2.3/32", "nexthop", "dev", "vx200", "nexthop", "via", "10.0.2.77", "dev", "vx200")

    def send():
        for port in range(4000, 4000 + flows):
            lab.send_udp("vm1", "10.0.2.3", 53, 1, src_port=port, seed=port)

    result = agents.trace(VM1_DNS, send, count=flows)
    lost = result["packets"]["dropped"]
    assert told(result) == [("neighbour-failed", "gw", "forward", lost)], show(result)
    assert 0 < lost < flows and result["packets"]["delivered"] == flows - lost, show(result)
    assert "10.0.2.77" in result["verdict"]["evidence"], show(result)


def test_records_that_come_late(lab, agents):
    """An agent that stands still for three seconds delays its records, no more; meanwhile nothing is said of its packets."""
    lab.meet("vm1", "10.0.1.2")
    pid = agents.agents["b"].pid
    trace = agents.add(VM1_DNS, 10, 20)
    os.kill(pid, signal.SIGSTOP)
    goes_on = threading.Timer(3, os.kill, (pid, signal.SIGCONT))
    goes_on.start()
    lab.send_udp("vm1", "10.0.1.2", 53, 9)
    while goes_on.is_alive():
        result = trace.result()
        assert result["causes"] == [] and result["packets"]["lost"] == 0, show(result)
        goes_on.join(0.1)
    lab.send_udp("vm1", "10.0.1.2", 53, 1, seed=2)
    check_healthy(trace.end(), 10, ROUTE)


def move_vm2(lab):
    """vm2 goes to host a, as a live migration does it: its port is made anew there, then the tables say where it is."""
    lab.run("b", "ip", "link", "del", "vm2")
    lab.run("a", "ip", "link", "add", "vm2", "type", "veth", "peer", "name", "eth0", "address", VM2_MAC, "netns", f"{lab.prefix}-vm2")
    lab.run("vm2", "ip", "addr", "add", "10.0.1.2/24", "dev", "eth0")
    lab.run("vm2", "ip", "link", "set", "eth0", "up")
    lab.run("vm2", "ip", "route", "add", "default", "via", "10.0.1.254")
    lab.run("a", "ip", "link", "set", "vm2", "up", "master", "br100")
    lab.run("a", "bridge", "fdb", "replace", VM2_MAC, "dev", "vm2", "master", "static")
    lab.run("a", "bridge", "fdb", "del", VM2_MAC, "dev", "vx100", "dst", "172.31.0.2", "self")
    lab.run("gw", "bridge", "fdb", "replace", VM2_MAC, "dev", "vx100", "dst", "172.31.0.1", "self", "permanent")
    deadline = time.monotonic() + 5
    while not {"vm2 ingress", "vm2 egress"} <= set(attached(lab, "a")["tcx"]):
        assert time.monotonic() < deadline, attached(lab, "a")


@pytest.mark.parametrize("sender, dst, port, before, after", [
    ("vm1", "10.0.1.2", 53, ROUTE, [("a", "vm1", "vm2")]),
    ("ext", "203.0.113.1", 8080, [("gw", "ext0", "eth0"), ("b", "eth0", "vm2")], [("gw", "ext0", "eth0"), ("a", "eth0", "vm2")]),
], ids=["to its sender's host", "to another host"])
def test_a_vm_that_migrates(lab, agents, sender, dst, port, before, after):
    lab.absorb("10.0.1.2", 80 if sender == "ext" else port)
    lab.meet("vm1", "10.0.1.2")
    lab.send_udp(sender, dst, port, 1)

    def send():
        lab.send_udp(sender, dst, port, 10)
        move_vm2(lab)
        lab.send_udp(sender, dst, port, 10, seed=2)

    result = agents.trace(f"udp and dst host {dst} and dst port {port}", send, count=20)
    check_healthy(result, 20, before, after)
    packets = {tuple(hops_of(path)): path["packets"] for path in result["paths"]}
    assert packets == {tuple(before): 10, tuple(after): 10}, show(result)


def test_a_vm_that_migrates_under_load(lab, agents):
    """While its port is on no host, packets for vm2 are lost for real: just those that it did not get, where it was.

    Those that passed the new port before the agent was there are nobody's loss: they left no record, and arrived."""
    count = 2000
    lab.meet("vm1", "10.0.1.2")
    sink = lab.listen("vm2", "udp-sink", 53, "-c", count, "-t", 60)
    trace = agents.add(VM1_DNS, count, 30)
    sender = lab.start("vm1", traffic_path(), "udp-send", "10.0.1.2", 53, "-c", count, "-r", 1000)
    wait_packets(trace, "coloured", 200)
    move_vm2(lab)
    sender.wait()
    result = trace.end()
    sink.stop()
    got = counts(sink.output())["distinct"]
    packets = result["packets"]
    assert packets["lost"] == 0 and 0 < packets["dropped"] <= count - got < count, show(result)
    assert packets["delivered"] <= got and packets["delivered"] + packets["unfinished"] >= got, show(result)
    assert told(result) == [("port-missing", "b", "forward", packets["dropped"])], show(result)
    assert result["verdict"]["certainty"] == ("inferred" if result["records"]["missing"] else "proven"), show(result)
    assert packets["unfinished"] == 0 or result["records"]["missing"] > 0, show(result)


def test_packets_that_change_their_order(lab, agents, tmp_path):
    """The underlay switch has a slow and a fast class for host b, and puts every other packet into the slow one."""
    lab.meet("vm1", "10.0.1.2")
    for qdisc in (
        "qdisc add dev b root handle 1: htb default 10", "class add dev b parent 1: classid 1:10 htb rate 1gbit",
        "class add dev b parent 1: classid 1:20 htb rate 400kbit burst 1600",
    ):
        lab.run("wire", "tc", *qdisc.split())
    slow = "meta priority set numgen inc mod 2 map { 0 : 1:10, 1 : 1:20 }"
    lab.run("wire", "nft", f'table bridge t {{ chain f {{ type filter hook forward priority 0; oifname "b" udp dport 4789 {slow}; }}; }}')
    lab.absorb("10.0.1.2", 53)
    capture = Capture(lab, "vm2", tmp_path / "vm2.pcap", "udp dst port 53")
    result = agents.trace(VM1_DNS, lambda: lab.send_udp("vm1", "10.0.1.2", 53, 40, size=400), count=40)
    arrived = [int.from_bytes(frame[50:54], "big") for frame in capture.stop(40)]  # behind Ethernet, IP, UDP, magic and seed
    assert sorted(arrived) == list(range(40)) and arrived != sorted(arrived), arrived
    check_healthy(result, 40, ROUTE)


@pytest.mark.parametrize("again", ["172.31.0.2 via eth0", "172.31.0.12"], ids=["one address", "two addresses"])
def test_a_host_that_is_flooded_twice(lab, agents, again):
    """Host a floods what is for vm2, and host b is twice in its list: vm2 gets every packet twice, and that is no loss."""
    lab.meet("vm1", "10.0.1.2")
    lab.run("b", "ip", "addr", "add", "172.31.0.12/24", "dev", "eth0")
    lab.run("a", "bridge", "fdb", "del", VM2_MAC, "dev", "vx100", "dst", "172.31.0.2", "self")
    lab.run("a", "bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "vx100", "dst", *again.split(), "self", "permanent")
    sink = lab.listen("vm2", "udp-sink", 53, "-c", 20, "-t", 10)
    result = agents.trace(VM1_DNS, lambda: lab.send_udp("vm1", "10.0.1.2", 53, 10), count=10)
    got = counts(sink.wait())
    assert (got["received"], got["distinct"]) == (20, 10), got
    check_healthy(result, 10, ROUTE)


VM1_TCP = "tcp and src host 10.0.1.1 and dst host {} and dst port 80"

ANSWERER = """
import signal, socket, struct
listener = socket.create_server(("10.0.1.2", 80))
print("ready", flush=True)
stream = listener.accept()[0]
stream.recv(1)
stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
stream.close()
print("reset", flush=True)
%s
"""
ASKER = """
import socket
stream = socket.create_connection(("10.0.1.2", 80))
stream.sendall(b"x" * 100)
stream.settimeout(1)
try:
    print("answer", stream.recv(1))
except (ConnectionResetError, TimeoutError) as error:
    print(type(error).__name__)
"""


def ask(lab):
    return lab.run("vm1", sys.executable, "-c", ASKER).stdout.strip()


@pytest.mark.parametrize("table, code", [
    ("nft table inet t { chain f { type filter hook forward priority 0; tcp dport 80 reject with tcp reset; }; }", "policy-nft-rule"),
    ("iptables-nft -A FORWARD -p tcp --dport 80 -j REJECT --reject-with tcp-reset", "policy-iptables"),
], ids=["nftables", "iptables"])
def test_a_rule_that_resets(lab, agents, table, code):
    """The sender sees a reset as if it came from the server; it is the gateway's."""
    lab.meet("vm1", "10.0.2.3")
    lab.listen("vm3", "tcp-sink", 80)
    tool, rest = table.split(" ", 1)
    lab.run("gw", tool, *([rest] if tool == "nft" else rest.split()))

    def send():
        said = lab.run("vm1", traffic_path(), "tcp-send", "10.0.2.3", 80, "-s", 100, check=False).stderr
        assert "refused" in said, said

    result = agents.trace(VM1_TCP.format("10.0.2.3"), send, count=100, seconds=2, bidirectional=True)
    check_loss(result, 1, "gw", {code})
    assert told(result) == [(code, "gw", "forward", 1)], show(result)
    assert "reject with tcp reset" in result["verdict"]["evidence"], show(result)


def test_a_receiver_that_resets(lab, agents):
    """The server ends the connection with a reset: that is no loss, in neither direction."""
    lab.meet("vm1", "10.0.1.2")
    lab.start("vm2", sys.executable, "-c", ANSWERER % "").wait_line("^ready", 5)
    said = []
    result = agents.trace(
        VM1_TCP.format("10.0.1.2"), lambda: said.append(ask(lab)), count=100, seconds=2, bidirectional=True
    )
    assert said == ["ConnectionResetError"]
    check_healthy(result, None, ROUTE, [("b", "vm2", "eth0"), ("a", "eth0", "vm1")])


@pytest.mark.parametrize("then, causes", [("", ["no-listener", "policy-nft-rule"]), ("signal.pause()", ["policy-nft-rule"])],
                         ids=["server ends", "server listens on"])
def test_a_reset_that_gets_lost(lab, agents, then, causes):
    """The sender does not learn of it and repeats its segment: what nobody takes is told if nobody listens any more."""
    lab.meet("vm1", "10.0.1.2")
    bridge_rule(lab, "a", "tcp sport 80 tcp flags rst drop")
    server = lab.start("vm2", sys.executable, "-c", ANSWERER % then)
    server.wait_line("^ready", 5)
    said = []
    result = agents.trace(
        VM1_TCP.format("10.0.1.2"), lambda: said.append(ask(lab)), count=100, seconds=3, bidirectional=True
    )
    assert said == ["TimeoutError"]
    check_resets_dropped(result, causes)


def check_resets_dropped(result, codes):
    where = {"no-listener": ("b", "forward"), "policy-nft-rule": ("a", "reverse")}
    assert sorted(c["code"] for c in result["causes"]) == codes, show(result)
    for cause in result["causes"]:
        assert (cause["node"], cause["direction"]) == where[cause["code"]], show(result)
        assert cause["certainty"] == "proven", show(result)
    packets = result["packets"]
    assert sum(c["packets"] for c in result["causes"]) == packets["dropped"] > 0, show(result)
    assert packets["delivered"] + packets["dropped"] == packets["coloured"], show(result)
