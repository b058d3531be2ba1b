# SPDX-License-Identifier: BSD-3-Clause
"""Kernels before 6.6 have no tcx: the same tracing by clsact, and what a killed agent leaves there goes with the next one."""

import json
import sys

from checks import check_healthy, check_loss
from lab import AGENTS, ROOT, SERVER, System, vtrace_path

FLOW = "udp and src host 10.0.1.1 and dst host 10.0.2.3 and dst port 53"


def start_agents(system, lab):
    for node, options in AGENTS.items():
        system.agents[node] = lab.start(
            node, vtrace_path(), "agent", "--server", SERVER, "--node", node, *options, "--datapath", "linux:clsact"
        )
    for node in AGENTS:
        system.agents[node].wait_line("^ready:", 10)


def filters(lab, node, device):
    return lab.run(node, "tc", "filter", "show", "dev", device, "ingress").stdout


def test_traces_by_clsact(lab):
    system = System(lab, nodes=())
    try:
        start_agents(system, lab)
        lab.meet("vm1", "10.0.2.3")
        trace = system.add(FLOW, 10, 5)
        assert "ingress_tenant" in filters(lab, "a", "vm1")
        assert json.loads(lab.run("a", sys.executable, ROOT / "tests/e2e/attached.py").stdout)["tcx"] == []
        lab.send_udp("vm1", "10.0.2.3", 53, 10)
        check_healthy(trace.end(), 10, [("a", "vm1", "eth0"), ("gw", "eth0", "eth0"), ("b", "eth0", "vm3")])
        lab.fault("route-missing-gw")
        lossy = system.trace(FLOW, lambda: lab.traffic("vm1", "udp-send", "10.0.2.3", 53, "-c", 10, check=False))
        check_loss(lossy, 10, "gw", {"route-missing"})
        left = system.add(FLOW, 10, 30)
        for node in AGENTS:
            system.agents[node].kill()
        assert "ingress_tenant" in filters(lab, "a", "vm1")
        system.cli("cancel", left.id, check=True)
        start_agents(system, lab)
        assert "ingress_tenant" not in filters(lab, "a", "vm1")
    finally:
        system.stop()
