# SPDX-License-Identifier: BSD-3-Clause
"""NAT at device a: vm1 is in the network blue, inside; vm2 behind device b is outside, in the network internet."""

import pytest

from device import GATEWAY, MACS, TRAFFIC, wait_for

INSIDE = ["10.0.1.1", "fd00:1::1"]
PEER = ["203.0.113.10", "2001:db8:1::10"]  # vm2
PUBLIC = ["198.51.100.1", "2001:db8:2::1"]
NET = ["203.0.113.0/24", "2001:db8:1::/64"]


def outside(**rule):
    """Device a translates by one rule for each family, with more of its words from `rule`."""
    def change(configs):
        gateway = {"mac": GATEWAY, "addresses": ["203.0.113.254", "2001:db8:1::fe"]}
        blue, other = configs["a"]["vpcs"][0], configs["b"]
        blue["remotes"] = []
        blue["routes"] = [{"prefix": net, "kind": "local", "vpc": "internet"} for net in NET]
        blue["nat"] = [{"name": "out", "kind": "snat", "vpc": "internet", "prefix": prefix, "addresses": [public], **rule}
                       for prefix, public in zip(("10.0.1.0/24", "fd00:1::/64"), PUBLIC)]
        configs["a"]["vpcs"].append({"name": "internet", "vni": 900, "gateway": gateway, "remotes": [
            {"prefix": peer, "mac": MACS["vm2"], "vtep": "172.31.0.2"} for peer in PEER]})
        other["vpcs"] = [{"name": "internet", "vni": 900, "gateway": gateway,
                          "vms": [{"port": "vm2", "mac": MACS["vm2"], "addresses": PEER}],
                          "remotes": [{"prefix": public, "vtep": "172.31.0.1"} for public in PUBLIC]}]
    return change


def dnat(configs):
    outside()(configs)
    configs["a"]["vpcs"][0]["nat"].append({"name": "web", "kind": "dnat", "vpc": "internet", "proto": "udp",
                                           "address": PUBLIC[0], "port": 8080, "to": INSIDE[0], "to_port": 80})


def guarded(configs):
    """vm1 may ask, and answers may come; nobody outside may begin."""
    dnat(configs)
    configs["a"]["security_groups"] = [{"name": "client", "rules": [{"name": "ask", "direction": "out", "action": "allow"}]}]
    configs["a"]["vpcs"][0]["vms"][0]["security_groups"] = ["client"]


def with_nat(**rule):
    return pytest.mark.parametrize("pair", [{"change": outside(**rule)}], indirect=True, ids=["nat"])


def move_vm2(pair):
    pair.sh("vm2", f"ip addr flush dev eth0 scope global; ip addr add {PEER[0]}/24 dev eth0; ip addr add {PEER[1]}/64 dev eth0 nodad;"
            "ip route add default via 203.0.113.254; ip -6 route flush default 2>/dev/null; ip -6 route add default via 2001:db8:1::fe")


def hops(path):
    return [(h["node"], h["in"]["device"], h["out"]["device"], h["nat"]) for h in path["hops"]]


@with_nat()
@pytest.mark.parametrize("six", [0, 1], ids=["ipv4", "ipv6"])
def test_snat(pair, six):
    """vm2 sees the public address; the trace is one trajectory each way, and shows what was translated where. IPv6 is
    traced one way: it has no ids, and so an echo has that of its question, behind NAT with nothing to tell them apart."""
    ways = 1 if six else 2
    move_vm2(pair)
    pair.agents_start()
    sink = pair.process("vm2", TRAFFIC, "udp-echo", 5000, "-t", 15)
    sink.expect("ready")
    said = []
    result = pair.trace(f"udp and src host {INSIDE[six]} and dst port 5000", lambda: said.append(
        pair.sh("vm1", f"{TRAFFIC} udp-ask {PEER[six]} 5000 -c 10 -p 4000 -t 5").stdout), 10, *["--bidirectional"][six:])
    assert "answered 10" in said[0], (said, pair.drops("a"), pair.drops("b"))
    assert (result["packets"]["coloured"], result["packets"]["delivered"]) == (10 * ways, 10 * ways), result
    assert result["verdict"] is None and len(result["paths"]) == ways, result["paths"]
    paths = {p["direction"]: hops(p) for p in result["paths"]}
    public, peer, inside = (f"[{a}]" if six else a for a in (PUBLIC[six], PEER[six], INSIDE[six]))
    assert paths["forward"] == [("a", "vm1", "eth0", f"{public}:4000 > {peer}:5000 udp"), ("b", "eth0", "vm2", None)], paths
    assert six or paths["reverse"] == [("a", "eth0", "vm1", f"{peer}:5000 > {inside}:4000 udp")], paths
    assert [(r["inside"], r["inside_port"], r["outside"], r["outside_port"]) for r in pair.show("a", "nat")] == [
        (INSIDE[six], 4000, PUBLIC[six], 4000)]


@with_nat(ports="20000-20100")
def test_tcp_and_ping(pair):
    """Checksums are right behind the translation of addresses and ports, for TCP with its data and for echo."""
    move_vm2(pair)
    sink = pair.process("vm2", TRAFFIC, "tcp-sink", 5001, "-c", 1, "-t", 10)
    sink.expect("ready")
    pair.sh("vm1", f"{TRAFFIC} tcp-send {PEER[0]} 5001 -s 300000")
    assert sink.expect("received") == "received 1 bytes 300000 bad 0\n"
    for six in 0, 1:
        assert "0% packet loss" in pair.sh("vm1", f"ping -c 3 -i 0.2 -W 5 {PEER[six]}").stdout
    assert {(r["proto"], r["outside"]) for r in pair.show("a", "nat")} == {(6, PUBLIC[0]), (1, PUBLIC[0]), (58, PUBLIC[1])}


@with_nat(ports="20000-20001")
def test_pool_exhausted(pair):
    """Two flows have the pool's two ports; the third is dropped, and rule and pool are named. The first two go on."""
    move_vm2(pair)
    pair.agents_start()
    sink = pair.sink("vm2", 5000, 12)
    for port in 4000, 4001:
        pair.send("vm1", PEER[0], 5000, "-c", 3, "-p", port)
    result = pair.trace("udp and src host 10.0.1.1 and src port 4002",
                        lambda: pair.send("vm1", PEER[0], 5000, "-c", 5, "-p", 4002), 5)
    assert (result["packets"]["coloured"], result["packets"]["dropped"]) == (5, 5), result
    cause = result["verdict"]
    assert (cause["class"], cause["code"], cause["certainty"], cause["node"], cause["device"]) == (
        "host-resource", "nat-pool-exhausted", "proven", "a", "vm1"), cause
    assert "nat rule out of VPC blue: 2 ports from 20000 to 20001 of 198.51.100.1" in cause["evidence"], cause
    for port in 4000, 4001:
        pair.send("vm1", PEER[0], 5000, "-c", 3, "-p", port)
    assert sink.expect("received").startswith("received 12 ")
    assert {r["outside_port"] for r in pair.show("a", "nat")} == {20000, 20001}


@with_nat(ports="20000-20000", idle=11)
def test_idle(pair):
    """A translation without packets ends, and its port is another's; while it is used it stays."""
    move_vm2(pair)
    pair.send("vm1", PEER[0], 5000, "-c", 1, "-p", 4000)
    wait_for("a translation", lambda: pair.show("a", "nat"))
    pair.send("vm1", PEER[0], 5000, "-c", 2, "-p", 4001)
    pair.dropped("a", "NAT_POOL_EXHAUSTED", 2)
    wait_for("its end", lambda: not pair.show("a", "nat"))
    pair.ctl("a", "flush")
    pair.send("vm1", PEER[0], 5000, "-c", 1, "-p", 4001)
    wait_for("another", lambda: [r["inside_port"] for r in pair.show("a", "nat")] == [4001])
    pair.dropped("a", "NAT_POOL_EXHAUSTED", 2)


@pytest.mark.parametrize("pair", [{"change": dnat}], indirect=True, ids=["dnat"])
def test_dnat(pair):
    """What comes for the public end goes to vm1, its answers come from the public end; what is not mapped is refused."""
    move_vm2(pair)
    pair.agents_start()
    pair.process("vm1", TRAFFIC, "udp-echo", 80, "-t", 15).expect("ready")
    said = []
    result = pair.trace(f"udp and src host {PEER[0]} and dst host {PUBLIC[0]} and dst port 8080", lambda: said.append(
        pair.sh("vm2", f"{TRAFFIC} udp-ask {PUBLIC[0]} 8080 -c 10 -p 4000 -t 5").stdout), 10)
    assert "answered 10" in said[0], (said, pair.drops("a"), pair.drops("b"))
    assert (result["packets"]["coloured"], result["packets"]["delivered"]) == (10, 10), result
    assert [hops(p) for p in result["paths"]] == [
        [("b", "vm2", "eth0", None), ("a", "eth0", "vm1", "203.0.113.10:4000 > 10.0.1.1:80 udp")]], result["paths"]

    result = pair.trace(f"udp and dst host {PUBLIC[0]} and dst port 9", lambda: pair.send("vm2", PUBLIC[0], 9, "-c", 5), 5)
    cause = result["verdict"]
    assert (cause["class"], cause["code"], cause["certainty"], cause["node"], cause["packets"]) == (
        "tenant-config", "nat-unmapped", "proven", "a", 5), cause
    assert "198.51.100.1 is an address of nat rule out of VPC blue" in cause["evidence"], cause


@pytest.mark.parametrize("pair", [{"change": guarded}], indirect=True, ids=["client"])
def test_groups_see_the_vm(pair):
    """The VM's groups see its own address: answers pass, and a flow from outside, forwarded by a rule, does not. A task
    that names the VM finds it though it came for the public address, by the tunnel."""
    move_vm2(pair)
    pair.agents_start()
    pair.process("vm2", TRAFFIC, "udp-echo", 5000, "-t", 15).expect("ready")
    assert "answered 10" in pair.sh("vm1", f"{TRAFFIC} udp-ask {PEER[0]} 5000 -c 10 -t 5").stdout
    result = pair.trace("udp and dst host 10.0.1.1 and dst port 80", lambda: pair.send("vm2", PUBLIC[0], 8080, "-c", 5), 5)
    assert (result["packets"]["coloured"], result["packets"]["dropped"]) == (5, 5), result
    cause = result["verdict"]
    assert (cause["code"], cause["certainty"], cause["node"]) == ("policy-group-default", "proven", "a"), cause
