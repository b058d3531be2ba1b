# SPDX-License-Identifier: BSD-3-Clause
"""More than one truth: several causes, a part of the packets, two directions, copies, paths that change, late records."""

import os
import signal
import threading

from checks import check_healthy, show
from lab import counts

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
    assert [(c["node"], c["packets"]) for c in result["causes"]] == [("gw", 5)], show(result)


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
    assert {(c["code"], c["node"]) for c in result["causes"]} == {("policy-nft-rule", "b")}, show(result)
    packets = result["packets"]
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
    """An agent that stands still for half a second delays its records, no more."""
    lab.meet("vm1", "10.0.1.2")
    pid = agents.agents["b"].pid

    def send():
        os.kill(pid, signal.SIGSTOP)
        goes_on.start()
        lab.send_udp("vm1", "10.0.1.2", 53, 10)

    goes_on = threading.Timer(0.5, os.kill, (pid, signal.SIGCONT))
    check_healthy(agents.trace(VM1_DNS, send, count=10), 10, ROUTE)
    goes_on.join()
