# SPDX-License-Identifier: BSD-3-Clause
"""Programs of others at the same hooks, as a CNI has them: what they let pass is healthy."""

import pytest

from checks import check_healthy
from programs import program

ROUTE = [("a", "vm1", "eth0"), ("b", "eth0", "vm2")]


@pytest.mark.parametrize("hook", ["tcx-ingress", "tcx-egress", "bpf-ingress", "bpf-egress"])
def test_accepting(lab, agents, hook):
    """One that accepts a packet ends the chain of programs; VTrace has seen the packet before."""
    tool = program("LAB_PROGRAM", "build/lab/lab-program")
    lab.meet("vm1", "10.0.1.2")
    for node, device, port in (("a", "vm1", 53), ("a", "eth0", 4789), ("b", "eth0", 4789), ("b", "vm2", 53)):
        lab.run(node, tool, hook, device, "accept_port", port)
    result = agents.trace(
        "udp and dst host 10.0.1.2 and dst port 53", lambda: lab.send_udp("vm1", "10.0.1.2", 53, 10), count=10
    )
    check_healthy(result, 10, ROUTE)


def u32(lab, node, device, *action):
    lab.run(node, "tc", "qdisc", "add", "dev", device, "clsact")
    lab.run(node, "tc", "filter", "add", "dev", device, "egress", "protocol", "ip", "pref", 10, "u32", "match", "ip", "protocol", 17,
            "0xff", "action", "mirred", "egress", *action)


def trace_port_53(lab, agents):
    return agents.trace(
        "udp and dst host 10.0.1.2 and dst port 53", lambda: lab.send_udp("vm1", "10.0.1.2", 53, 10), count=10
    )


def test_redirected_to_another_port(lab, agents):
    """The packet leaves, and where it left is shown: by the device that the filter sent it to, not by the VM's port."""
    lab.meet("vm1", "10.0.1.2")
    lab.run("b", "ip", "link", "add", "sink0", "type", "veth", "peer", "name", "sink1", "netns", f"{lab.prefix}-vm4")
    lab.run("b", "ip", "link", "set", "sink0", "up")
    lab.run("vm4", "ip", "link", "set", "sink1", "up")
    u32(lab, "b", "vm2", "redirect", "dev", "sink0")
    result = trace_port_53(lab, agents)
    check_healthy(result, 10, [("a", "vm1", "eth0"), ("b", "eth0", "sink0")])


def test_redirected_through_ifb(lab, agents):
    """A filter sends what leaves the VM's port through an ifb device, as shapers do: it comes back and arrives."""
    receiver = lab.listen("vm2", "udp-sink", 53, "-c", 10, "-t", 10)
    lab.meet("vm1", "10.0.1.2")
    lab.run("b", "ip", "link", "add", "ifb9", "type", "ifb")
    lab.run("b", "ip", "link", "set", "ifb9", "up")
    u32(lab, "b", "vm2", "redirect", "dev", "ifb9")
    result = trace_port_53(lab, agents)
    assert "received 10" in receiver.wait(), receiver.output()
    check_healthy(result, 10, ROUTE)
