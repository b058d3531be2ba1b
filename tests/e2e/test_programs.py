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
