# SPDX-License-Identifier: BSD-3-Clause
"""A rate limit for each flow of a VM, and actions that the device does not have."""

import signal

import pytest

from device import wait_for


def flow_rate(configs):
    configs["a"]["vpcs"][0]["vms"][0]["flow_rate"] = {"bps": 8000, "burst": 10000}


@pytest.mark.parametrize("pair", [{"change": flow_rate}], indirect=True, ids=["8000"])
def test_flow_rate(pair):
    """Nine of 1000 bytes and their headers fit the burst, eleven do not. Another flow of the same VM has a burst of its
    own; what a flow has used up stays used when its entry is made anew."""
    pair.agents_start()
    sink = pair.sink("vm2", 5000, 18)

    def send(port):
        pair.send("vm1", "10.0.1.2", 5000, "-c", 20, "-s", 1000, "-p", port)

    def over(port):
        return sum(row["packets"] for row in pair.show("a", "drops") if f"flow 10.0.1.1:{port} >" in row["evidence"])

    result = pair.trace("udp and dst host 10.0.1.2", lambda: send(4000), 20)
    assert (result["packets"]["delivered"], result["packets"]["dropped"]) == (9, 11), result
    cause = result["verdict"]
    assert (cause["class"], cause["code"], cause["certainty"], cause["node"], cause["device"], cause["packets"]) == (
        "rate-limit", "limit-flow", "proven", "a", "vm1", 11), cause
    assert "flow 10.0.1.1:4000 > 10.0.1.2:5000 of protocol 17 at port vm1: more than 8000 bits a second" in cause["evidence"]
    send(4001)
    assert sink.expect("received").startswith("received 18 ")
    assert (over(4000), over(4001)) == (11, 11)
    pair.ctl("a", "flush")
    send(4001)
    wait_for("drops behind the flush", lambda: over(4001) >= 11 + 15)


def service(configs):
    configs["a"]["vpcs"][0]["routes"] = [{"prefix": "10.9.0.0/16", "kind": "service", "service": "ids-1"}]


@pytest.mark.parametrize("pair", [{"change": service}], indirect=True, ids=["ids-1"])
def test_unsupported_action(pair):
    """A route through a service that is not there is no reason to let the packet pass without it."""
    pair.agents_start()
    result = pair.trace("udp and dst host 10.9.0.1", lambda: pair.send("vm1", "10.9.0.1", 5000, "-c", 5), 5)
    assert (result["packets"]["coloured"], result["packets"]["dropped"]) == (5, 5), result
    cause = result["verdict"]
    assert (cause["class"], cause["code"], cause["certainty"], cause["node"], cause["device"]) == (
        "unsupported", "action-unsupported", "proven", "a", "vm1"), cause
    assert cause["reason"] == "UNSUPPORTED_ACTION"
    assert "route 10.9.0.0/16 of VPC blue leads through service ids-1" in cause["evidence"]


def many_routes(configs):
    """Thousands of routes, in no order, around those that decide: the longest prefix, and the first of two equal ones."""
    routes = [{"prefix": f"10.{net}.{i}.0/24", "kind": "unreachable"} for i in range(250) for net in range(20, 40)]
    routes[100:100] = [{"prefix": p, "kind": kind} for p, kind in (
        ("0.0.0.0/0", "prohibit"), ("10.16.0.0/12", "blackhole"), ("10.25.7.0/26", "blackhole"), ("10.25.7.0/26", "prohibit"))]
    configs["a"]["vpcs"][0]["routes"] = routes


@pytest.mark.parametrize("pair", [{"change": many_routes}], indirect=True, ids=["5000"])
def test_many_routes(pair):
    """The longest prefix decides, whatever the order; and the same behind a reload, for fewer routes, too."""
    def sent(dst, evidence):
        pair.send("vm1", dst, 5000, "-c", 1)
        wait_for(evidence, lambda: [row for row in pair.show("a", "drops") if row["evidence"] == evidence])

    sent("10.25.7.9", "route blackhole 10.25.7.0/26 of VPC blue")
    sent("10.25.7.99", "route unreachable 10.25.7.0/24 of VPC blue")
    sent("10.25.255.1", "route blackhole 10.16.0.0/12 of VPC blue")
    sent("192.0.2.1", "route prohibit 0.0.0.0/0 of VPC blue")
    assert "0% packet loss" in pair.sh("vm1", "ping -c 1 -W 5 10.0.1.2").stdout
    assert "0% packet loss" in pair.sh("vm1", "ping -c 1 -W 5 fd00:1::2").stdout
    for routes in pair.configs["a"]["vpcs"][0]["routes"][::-1], [{"prefix": "10.25.7.0/25", "kind": "prohibit"}]:
        pair.configs["a"]["vpcs"][0]["routes"] = routes
        pair.write("a")
        pair.devices["a"].popen.send_signal(signal.SIGHUP)
        pair.devices["a"].expect("reloaded:")
        assert "0% packet loss" in pair.sh("vm1", "ping -c 1 -W 5 10.0.1.2").stdout
    sent("10.25.7.9", "route prohibit 10.25.7.0/25 of VPC blue")
