# SPDX-License-Identifier: BSD-3-Clause
"""Each fault of lab/fault: the packets are followed, and the verdict names the right node and cause."""

import json
import subprocess
from dataclasses import dataclass

import pytest

from checks import check_loss, show
from lab import ROOT

LISTED = {
    f["name"]: f
    for f in json.loads(subprocess.run([str(ROOT / "lab/fault"), "--list", "--json"], capture_output=True, check=True).stdout)
}
COUNT = 10

# Causes that VTrace names from the drop's site and reason alone may also end as `unexplained`: that is honest, a wrong
# cause is not. All others must be named.
MAY_BE_UNEXPLAINED = {
    "rp-filter-gw", "port-blocked-b", "port-isolated-b", "port-mtu-b", "port-down-b", "vtep-unroutable-a", "vtep-missing-b",
}
# An iptables-nft rule is an nftables rule to the kernel: both names are right.
ALSO_RIGHT = {"iptables-gw": {"policy-nft-rule"}}


@dataclass
class Flow:
    """What is sent through the fault, and what the evidence has to contain."""

    dst: str = "10.0.1.2"
    port: int = 53
    size: int = 64
    end: str = "dropped"
    all_lost: bool = True
    evidence: tuple = ()


VM3 = "10.0.2.3"
FLOWS = {
    "nft-drop-b": Flow(evidence=("bridge", "fw", "forward", "handle", "drop")),
    "nft-policy-b": Flow(evidence=("bridge", "fwpolicy", "forward", "policy")),
    "nft-drop-gw": Flow(VM3, evidence=("inet", "fw", "tenants", "handle", "udp dport 53")),
    "nft-reject-gw": Flow(VM3, evidence=("fwreject", "reject")),
    "nft-limit-gw": Flow(VM3, all_lost=False, evidence=("fwlimit", "limit rate")),
    "nft-underlay-b": Flow(evidence=("inet", "provider", "input")),
    "iptables-gw": Flow(VM3),
    "route-missing-gw": Flow(VM3, evidence=("10.0.2.3",)),
    "route-blackhole-gw": Flow(VM3, evidence=("10.0.2.3", "blackhole")),
    "route-unreachable-gw": Flow(VM3, evidence=("10.0.2.3", "unreachable")),
    "route-prohibit-gw": Flow(VM3, evidence=("10.0.2.3", "prohibit")),
    "forwarding-off-gw": Flow(VM3),
    "rp-filter-gw": Flow(VM3),
    "mtu-gw": Flow(VM3, size=1400, all_lost=False),  # the sender learns the path MTU from the first
    "neigh-dead": Flow(VM3, evidence=("10.0.2.3",)),
    "fdb-missing-a": Flow(evidence=("vx100", "10.0.1.2")),
    "vni-unknown-b": Flow(evidence=("100",)),
    "vtep-missing-b": Flow(),
    "vtep-unroutable-a": Flow(),
    "vtep-neigh-dead": Flow(evidence=("172.31.0.2",)),
    "port-down-b": Flow(),
    "port-blocked-b": Flow(),
    "port-isolated-b": Flow(),
    "port-mtu-b": Flow(size=1400),
    "qdisc-a": Flow(size=1000, all_lost=False, evidence=("tbf", "eth0")),
    "qdisc-b": Flow(size=1000, all_lost=False, evidence=("tbf", "vm2")),
    "underlay-drop": Flow(end="lost"),
    "underlay-mtu": Flow(size=1400, end="lost"),
    "underlay-bleach": Flow(end="lost", evidence=("DSCP",)),
}


def test_every_fault_has_a_flow():
    assert set(FLOWS) == set(LISTED)


@pytest.mark.parametrize("name", LISTED)
def test_fault(lab, agents, name):
    flow, fault = FLOWS[name], LISTED[name]
    lab.meet("vm1", flow.dst)
    lab.fault(name)
    result = agents.trace(
        f"udp and src host 10.0.1.1 and dst host {flow.dst} and dst port {flow.port}",
        lambda: lab.traffic("vm1", "udp-send", flow.dst, flow.port, "-c", COUNT, "-s", flow.size, check=False),
        count=COUNT, seconds=3,
    )
    codes = {fault["code"]} | ALSO_RIGHT.get(name, set())
    if name in MAY_BE_UNEXPLAINED:
        codes.add("unexplained")
    assert result["packets"]["coloured"] == COUNT, show(result)
    check_loss(result, COUNT if flow.all_lost else None, fault["node"], codes, flow.end)
    if not flow.all_lost:
        assert 0 < result["packets"]["delivered"] < COUNT, show(result)
    for word in flow.evidence:
        assert word in result["verdict"]["evidence"], f"{word} is missing in: {result['verdict']['evidence']}"


@pytest.mark.parametrize("lab", [{"UNDERLAY": 6, "VXLAN_PORT": 8472}], indirect=True, ids=["vxlan6"])
@pytest.mark.parametrize("name", ["nft-drop-b", "route-missing-gw", "fdb-missing-a", "vni-unknown-b", "underlay-drop"])
def test_fault_over_ipv6(lab, agents, name):
    """The tenants' IPv6, over an underlay of IPv6 and a port of its own."""
    dst = "fd02::3" if name.startswith("route") else "fd01::2"
    lab.meet("vm1", dst)
    lab.fault(name)
    result = agents.trace(
        f"udp and src host fd01::1 and dst host {dst} and dst port 53",
        lambda: lab.traffic("vm1", "udp-send", dst, 53, "-c", COUNT, check=False), count=COUNT, seconds=3,
    )
    check_loss(result, COUNT, LISTED[name]["node"], {LISTED[name]["code"]}, FLOWS[name].end)


def test_loss_is_told_for_the_reverse_direction(lab, agents):
    """Requests arrive, answers die: the cause is the answers' and says so."""
    lab.listen("vm3", "udp-echo", 53, "-c", COUNT)
    lab.meet("vm1", "10.0.2.3")
    lab.run("gw", "nft", "table inet back { chain forward { type filter hook forward priority 0; udp sport 53 drop; }; }")
    result = agents.trace(
        "udp and src host 10.0.1.1 and dst host 10.0.2.3 and dst port 53",
        lambda: lab.traffic("vm1", "udp-send", "10.0.2.3", 53, "-c", COUNT), count=COUNT, seconds=3, bidirectional=True,
    )
    assert result["packets"]["delivered"] == COUNT, show(result)
    check_loss(result, COUNT, "gw", {"policy-nft-rule"})
    assert result["verdict"]["direction"] == "reverse", show(result)


def test_same_addresses_in_another_network_are_not_blamed(lab, agents):
    """vm5 to vm6 has the addresses of vm1 to vm2; only the latter's network is broken."""
    lab.meet("vm5", "10.0.1.2")
    lab.meet("vm1", "10.0.1.2")
    lab.fault("fdb-missing-a")
    trace = agents.add("vni 300 and udp and dst port 53", COUNT, 3)
    other = agents.add("vni 100 and udp and dst port 53", COUNT, 3)
    for vm in ("vm1", "vm5"):
        lab.traffic(vm, "udp-send", "10.0.1.2", 53, "-c", COUNT, check=False)
    healthy, broken = trace.end(), other.end()
    assert healthy["packets"]["delivered"] == COUNT and healthy["causes"] == [], show(healthy)
    check_loss(broken, COUNT, "a", {"fdb-missing"})


def test_a_mended_fault_is_gone(lab, agents):
    """What the agent knows of routes and tables is not older than the packets."""
    for state, code in (("on", "route-missing"), ("off", None), ("on", "route-missing")):
        lab.fault("route-missing-gw", state)
        result = agents.trace(
            "udp and src host 10.0.1.1 and dst host 10.0.2.3 and dst port 53",
            lambda: lab.traffic("vm1", "udp-send", "10.0.2.3", 53, "-c", COUNT, check=False), count=COUNT, seconds=3,
        )
        assert (result["verdict"] or {}).get("code") == code, show(result)
