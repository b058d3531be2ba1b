# SPDX-License-Identifier: BSD-3-Clause
"""Clocks that differ: those of two nodes are never compared, and an agent's own may not be the kernel's."""

import json
import subprocess

import pytest

from checks import check_healthy, check_loss, show
from lab import AGENTS, System
from programs import vtrace_path
from test_own_losses import FLOW, ROUTE, wait_attached

FLOW6 = "udp and src host fd01::1 and dst host fd01::2 and dst port 53"
MINUTES_NS = 10 * 60 * 10**9
COUNT = 10


def record(lab, tmp_path, fault):
    """What the hosts a and b recorded of one trace, each by `vtrace run` there: lists of lines, as objects.

    After half of it the fault comes. Without IPv4's identification the second half's packets are equal to the first's:
    only their order tells them apart."""
    runs = {
        node: lab.start(
            node, vtrace_path(), "run", FLOW6, "--node", node, "--count", 2 * COUNT, "--time", 2, "--record", tmp_path / node
        )
        for node in ("a", "b")
    }
    for node in runs:
        wait_attached(lab, node)
    lab.send_udp("vm1", "fd01::2", 53, COUNT, src_port=4000)
    if fault:
        lab.fault(fault)
    lab.send_udp("vm1", "fd01::2", 53, COUNT, src_port=4000)
    for run in runs.values():
        run.wait()
    return [[json.loads(line) for line in (tmp_path / node).read_text().splitlines()] for node in runs]


def joined(a, b, shift_ns):
    """One file of both, as a server would get it; host b's clock is ahead by shift_ns. The task is host a's."""
    lines = [line for line in a + b if line.get("event") == "node"]
    lines += [line for line in a + b if line.get("event") == "armed"]
    lines += [line for line in a if line.get("event") not in ("node", "armed") and not is_task(line)]
    lines += [line for line in b if line.get("event") == "progress" or "loc" in line]
    return "".join(json.dumps(shifted(line, shift_ns)) + "\n" for line in [line for line in a if is_task(line)] + lines)


def is_task(line):
    return isinstance(line.get("task"), dict)


def shifted(line, shift_ns):
    line = {key: value for key, value in line.items() if key != "at_ms"}
    if "loc" in line and line["node"] == "b":
        line["time_ns"] += shift_ns
    return line


def analyze(text):
    done = subprocess.run([vtrace_path(), "analyze", "-", "--json"], input=text, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("fault, end, causes", [
    (None, None, []), ("nft-drop-b", "dropped", [("policy-nft-rule", "b", "inferred", COUNT)]),
    ("underlay-drop", "lost", [("underlay-lost", "a", "inferred", COUNT)]),
])
def test_nodes_whose_clocks_differ(lab, tmp_path, fault, end, causes):
    """Real records of two hosts, and again as if one's clock were ten minutes ahead or behind: the answer is the same."""
    lab.meet("vm1", "fd01::2")
    lab.absorb("fd01::2", 53)
    a, b = record(lab, tmp_path, fault)
    same, ahead, behind = [analyze(joined(a, b, shift_ns)) for shift_ns in (0, MINUTES_NS, -MINUTES_NS)]
    packets = same["packets"]
    assert packets["coloured"] == packets["ambiguous"] == 2 * COUNT, show(same)
    assert packets["delivered"] == (COUNT if end else 2 * COUNT) and (not end or packets[end] == COUNT), show(same)
    assert [(c["code"], c["node"], c["certainty"], c["packets"]) for c in same["causes"]] == causes, show(same)
    assert ahead == same, show([same, ahead])
    assert behind == same, show([same, behind])


SHIFTED = "unshare --time --monotonic 600 --boottime 600 nsenter --time=/proc/self/ns/time_for_children".split()


@pytest.mark.parametrize("fault, node, code", [
    (None, None, None), ("nft-drop-b", "b", "policy-nft-rule"), ("qdisc-b", "b", "limit-qdisc"),
    ("underlay-drop", "a", "underlay-lost"),
])
def test_agents_in_time_namespaces(lab, fault, node, code):
    """The clocks of the agents of host b and the gateway are ten minutes ahead of the kernel's, as in a restored container."""
    count = 100 if fault == "qdisc-b" else COUNT
    lab.meet("vm1", "10.0.1.2")
    if fault:
        lab.fault(fault)
    system = System(lab, {})
    try:
        for name in AGENTS:
            system.start_agent(name, under=() if name == "a" else SHIFTED)
        result = system.trace(FLOW, lambda: lab.send_udp("vm1", "10.0.1.2", 53, count), count=count)
        if not fault:
            check_healthy(result, count, ROUTE)
        else:
            lost = None if fault == "qdisc-b" else count
            check_loss(result, lost, node, {code}, "lost" if code == "underlay-lost" else "dropped")
    finally:
        assert system.stop() == []
