# SPDX-License-Identifier: BSD-3-Clause
"""Faults beyond the conformance suite: another underlay, the way back, equal addresses, and a fault that is mended."""

import pytest

from checks import check_loss, show

COUNT = 10

@pytest.mark.parametrize("lab", [{"UNDERLAY": 6, "VXLAN_PORT": 8472}], indirect=True, ids=["vxlan6"])
@pytest.mark.parametrize("name,node,code", [
    ("nft-drop-b", "b", "policy-nft-rule"), ("route-missing-gw", "gw", "route-missing"), ("fdb-missing-a", "a", "fdb-missing"),
    ("vni-unknown-b", "b", "vni-unknown"), ("underlay-drop", "a", "underlay-lost"),
])
def test_fault_over_ipv6(lab, agents, name, node, code):
    """The tenants' IPv6, over an underlay of IPv6 and a port of its own."""
    dst = "fd02::3" if name.startswith("route") else "fd01::2"
    lab.meet("vm1", dst)
    lab.fault(name)
    result = agents.trace(
        f"udp and src host fd01::1 and dst host {dst} and dst port 53",
        lambda: lab.traffic("vm1", "udp-send", dst, 53, "-c", COUNT, check=False), count=COUNT, seconds=3,
    )
    check_loss(result, COUNT, node, {code}, "lost" if code == "underlay-lost" else "dropped")


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
