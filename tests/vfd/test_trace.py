# SPDX-License-Identifier: BSD-3-Clause
"""VTrace through the device: server, an agent a device, real packets; what it says against what was done to them."""

import pytest

from device import MACS


def lost(result, packets, cls, code, node, device, evidence):
    """All packets of the flow were dropped, for this cause and no other."""
    assert result["packets"] == {"coloured": packets, "delivered": 0, "dropped": packets, "lost": 0, "unfinished": 0,
                                 "ambiguous": 0}, result
    assert len(result["causes"]) == 1, result["causes"]
    cause = result["verdict"]
    assert (cause["class"], cause["code"], cause["certainty"], cause["node"], cause["device"], cause["packets"]) == (
        cls, code, "proven", node, device, packets), cause
    assert evidence in cause["evidence"], cause


def groups(rules, host="b"):
    def change(configs):
        configs[host]["security_groups"] = [{"name": "web", "rules": rules}]
        configs[host]["vpcs"][0]["vms"][0]["security_groups"] = ["web"]
    return change


def route(prefix, kind):
    def change(configs):
        configs["a"]["vpcs"][0]["routes"] = [{"prefix": prefix, "kind": kind}]
    return change


def remote(**fields):
    def change(configs):
        for r in configs["a"]["vpcs"][0]["remotes"]:
            r.update(fields)
    return change


def vni(configs):
    configs["b"]["vpcs"][0]["vni"] = 200


ALLOW_DNS = {"name": "dns", "direction": "in", "action": "allow", "proto": "udp", "ports": "53"}
DENY_5000 = {"name": "no-5000", "direction": "in", "action": "deny", "priority": 5, "proto": "udp", "ports": "4000-5000",
             "prefix": "10.0.0.0/8"}
ALLOW_ALL = {"name": "all", "direction": "in", "action": "allow", "priority": 10}
OUT_DENY = {"name": "no-out", "direction": "out", "action": "deny", "proto": "udp"}

CASES = {  # change, destination, class, code, node, device, evidence, the device's own reason
    "group-default": (groups([ALLOW_DNS]), "10.0.1.2", "security-policy", "policy-group-default", "b", "vm2",
                      "direction in of port vm2", "GROUP_DEFAULT"),
    "group-rule": (groups([ALLOW_ALL, DENY_5000]), "10.0.1.2", "security-policy", "policy-group-rule", "b", "vm2",
                   "group web rule no-5000 (in, deny, priority 5) of port vm2", "GROUP_RULE"),
    "group-out": (groups([OUT_DENY], "a"), "10.0.1.2", "security-policy", "policy-group-rule", "a", "vm1",
                  "rule no-out (out, deny", "GROUP_RULE"),
    "blackhole": (route("10.9.0.0/16", "blackhole"), "10.9.0.1", "tenant-config", "route-blackhole", "a", "vm1",
                  "route blackhole 10.9.0.0/16 of VPC blue", "ROUTE_BLACKHOLE"),
    "unreachable": (route("10.9.0.0/16", "unreachable"), "10.9.0.1", "tenant-config", "route-unreachable", "a", "vm1",
                    "route unreachable 10.9.0.0/16", "ROUTE_UNREACHABLE"),
    "prohibit": (route("10.9.0.0/16", "prohibit"), "10.9.0.1", "tenant-config", "route-prohibit", "a", "vm1",
                 "route prohibit 10.9.0.0/16", "ROUTE_PROHIBIT"),
    "no-route": (None, "10.8.0.1", "tenant-config", "route-missing", "a", "vm1", "no route to 10.8.0.1 in VPC blue", "NO_ROUTE"),
    "vni": (vni, "10.0.1.2", "infrastructure", "vni-unknown", "b", "eth0", "no VPC has VNI 100", "VNI_UNKNOWN"),
    "vtep-dead": (remote(vtep="172.31.0.77"), "10.0.1.2", "infrastructure", "vtep-neighbour-failed", "a", "eth0",
                  "172.31.0.77 did not answer", "NEIGHBOUR_FAILED"),
    "vtep-unroutable": (remote(vtep="192.0.2.1"), "10.0.1.2", "infrastructure", "vtep-unroutable", "a", "eth0",
                        "VTEP 192.0.2.1", "VTEP_UNROUTABLE"),
}


@pytest.mark.parametrize("pair,case", [({"change": c[0]}, c) for c in CASES.values()], ids=list(CASES), indirect=["pair"])
def test_cause(pair, case):
    """Each way to lose a flow has its cause at its node, and the device counts the same under its own reason."""
    _, dst, cls, code, node, device, evidence, reason = case
    pair.agents_start()
    packets = 5  # no more than wait for a neighbour
    result = pair.trace(f"udp and src host 10.0.1.1 and dst host {dst} and dst port 5000",
                        lambda: pair.send("vm1", dst, 5000, "-c", packets), packets)
    lost(result, packets, cls, code, node, device, evidence)
    row = pair.dropped(node, reason, packets)
    assert row["code"] == code and evidence in row["evidence"]


@pytest.mark.parametrize("pair", [{"outer": 4}, {"outer": 6}], indirect=True, ids=["outer4", "outer6"])
def test_healthy(pair):
    """Delivered, by two hops with their ports; nobody is blamed."""
    pair.agents_start()
    sink = pair.sink("vm2", 5000, 50)
    result = pair.trace("udp and src host 10.0.1.1 and dst host 10.0.1.2 and dst port 5000",
                        lambda: pair.send("vm1", "10.0.1.2", 5000, "-c", 50), 20)
    assert sink.expect("received").startswith("received 50 "), (pair.drops("a"), pair.drops("b"))
    assert (result["packets"]["coloured"], result["packets"]["delivered"]) == (20, 20), result
    assert result["verdict"] is None and len(result["paths"]) == 1, result
    hops = result["paths"][0]["hops"]
    assert [(h["node"], h["vni"], h["in"]["device"], h["out"]["device"]) for h in hops] == [
        ("a", 100, "vm1", "eth0"), ("b", 100, "eth0", "vm2")], hops


def test_a_flow_is_traced_again(pair):
    """Once a task has had its packets the flow is like any other; the next task finds it all the same, in one flow entry."""
    pair.agents_start()
    sink = pair.sink("vm2", 5000, 90)
    for count in (5, 7, 9):
        result = pair.trace("udp and src host 10.0.1.1 and dst port 5000",
                            lambda: pair.send("vm1", "10.0.1.2", 5000, "-c", 30, "-p", 6000), count)
        assert (result["packets"]["coloured"], result["packets"]["delivered"]) == (count, count), result
    sink.expect("received 90 ")
    assert [f["packets"] for f in pair.show("a", "flows") if f["dport"] == 5000] == [90]


def test_spoof(pair):
    pair.agents_start()
    pair.sh("vm1", "ip addr add 10.0.1.77/24 dev eth0; ip route add 10.0.1.2/32 dev eth0 src 10.0.1.77")
    result = pair.trace("udp and src host 10.0.1.77", lambda: pair.send("vm1", "10.0.1.2", 5000, "-c", 5), 5)
    lost(result, 5, "security-policy", "policy-spoof", "a", "vm1", "source address 10.0.1.77 is none of the VM's")


def test_wrong_mac(pair):
    pair.agents_start()
    pair.sh("vm1", f"ip neigh replace 10.0.1.2 lladdr {MACS['a']} nud permanent dev eth0")
    result = pair.trace("udp and dst host 10.0.1.2", lambda: pair.send("vm1", "10.0.1.2", 5000, "-c", 5), 5)
    lost(result, 5, "tenant-config", "wrong-mac", "a", "vm1", f"sent to MAC {MACS['a']}")


def mtu(configs):
    configs["a"]["ports"][0]["mtu"] = 1400


@pytest.mark.parametrize("pair", [{"change": mtu}], indirect=True, ids=["1400"])
def test_underlay_mtu(pair):
    """The VM is told, too, how big a packet may be."""
    pair.agents_start()
    result = pair.trace("udp and dst host 10.0.1.2", lambda: pair.send("vm1", "10.0.1.2", 5000, "-c", 1, "-s", 1400), 1)
    lost(result, 1, "infrastructure", "underlay-mtu", "a", "eth0", "exceed the MTU 1400 of port eth0")
    for family, address in (4, "10.0.1.2"), (6, "fd00:1::2"):
        said = pair.sh("vm1", f"ping -{family} -M do -c 1 -s 1400 -W 2 {address} 2>&1", check=False).stdout.lower()
        assert "mtu = 1350" in said or "mtu=1350" in said, said


def limited(configs):
    configs["a"]["vpcs"][0]["vms"][0]["rate"] = {"bps": 8000, "burst": 2000}


@pytest.mark.parametrize("pair", [{"change": limited}], indirect=True, ids=["8000"])
def test_rate_limit(pair):
    """Two of 1000 bytes do not fit the burst of 2000 with their headers: one passes, nine are told as over the limit."""
    pair.agents_start()
    sink = pair.sink("vm2", 5000, 10)
    result = pair.trace("udp and dst host 10.0.1.2", lambda: pair.send("vm1", "10.0.1.2", 5000, "-c", 10, "-s", 1000), 10)
    sink.end()
    assert (result["packets"]["delivered"], result["packets"]["dropped"]) == (1, 9), result
    cause = result["verdict"]
    assert (cause["class"], cause["code"], cause["certainty"], cause["node"], cause["device"], cause["packets"]) == (
        "rate-limit", "limit-port", "proven", "a", "vm1", 9), cause
    assert "8000 bits a second" in cause["evidence"]
