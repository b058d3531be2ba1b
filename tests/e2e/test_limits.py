# SPDX-License-Identifier: BSD-3-Clause
"""A node's limits: what goes beyond is refused with its reason, and what was taken before goes on."""

import itertools

import pytest

from checks import check_healthy, check_result, show
from lab import AGENTS
from test_own_losses import FLOW, ROUTE

SHAPES, TASKS = 64, 256  # shared.h, datapath.h: what a node takes at once


def shapes():
    """Filters that each ask for other bits of the addresses, and that no packet of the lab's matches."""
    for src, dst in itertools.product(range(8, 32), repeat=2):
        yield f"src net 11.0.0.0/{src} and dst net 11.0.0.0/{dst}"


def ports():
    """Filters of one shape."""
    for port in range(1, 1000):
        yield f"udp and src host 11.0.0.1 and dst port {port}"


@pytest.mark.parametrize("filters, limit, says", [
    (shapes(), SHAPES, "this node has 64 different shapes of filter in use, the limit (wait for traces to end)"),
    (ports(), TASKS, "this node has 256 tasks armed, the limit (wait for traces to end)"),
], ids=["shapes", "tasks"])
def test_more_than_a_node_takes(lab, agents, filters, limit, says):
    lab.meet("vm1", "10.0.1.2")
    first = agents.add(FLOW, 10, 300)
    others = [agents.add(next(filters), 10, 300, armed=False) for _ in range(limit - 1)]
    others[-1].wait_state("tracing")
    refused = agents.add(next(filters), 10, 300, armed=False)
    result = refused.wait_state("failed")
    failed = result["nodes"]["failed"]
    assert sorted((f["node"], f["error"]) for f in failed) == [(node, says) for node in sorted(AGENTS)], show(result)
    assert result["error"] == f"no node could be armed: {failed[0]['node']}: {says}", show(result)
    assert says in agents.cli("result", refused.id).stdout
    agents.cli("cancel", others[-1].id, check=True)
    agents.add(next(filters), 10, 300)
    lab.send_udp("vm1", "10.0.1.2", 53, 10)
    result = first.end()
    check_result(result)
    check_healthy(result, 10, ROUTE)
