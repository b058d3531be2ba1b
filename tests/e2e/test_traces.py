# SPDX-License-Identifier: BSD-3-Clause
"""VTrace leaves no trace of its own: tenants' packets are untouched, and nothing stays in the kernel."""

import json
import pathlib
import re
import struct
import subprocess
import sys
import time

import pytest

from checks import check_healthy, show
from lab import AGENTS, ROOT

FLOW = "src host 10.0.1.1 and dst host 10.0.1.2"


def attached(lab, node):
    return json.loads(lab.run(node, sys.executable, ROOT / "tests/e2e/attached.py").stdout)


def links_held(proc):
    """BPF links (tcx, tracepoints) that a process holds open."""
    held = []
    for fd in pathlib.Path(f"/proc/{proc.pid}/fdinfo").iterdir():
        try:
            held += [line for line in fd.read_text().splitlines() if line.startswith("link_type")]
        except OSError:  # the descriptor was closed meanwhile
            continue
    return held


def frames(path):
    """The frames of a pcap file, in order."""
    data = path.read_bytes()
    assert struct.unpack_from("=I", data)[0] == 0xA1B2C3D4
    at, found = 24, []
    while at < len(data):
        length = struct.unpack_from("=I", data, at + 8)[0]
        found.append(data[at + 16 : at + 16 + length])
        at += 16 + length
    return found


class Capture:
    """tcpdump on a VM's own device, from when it listens until stop()."""

    def __init__(self, lab, node, path, flt):
        self.path = path
        self.proc = lab.start(
            node, "tcpdump", "-i", "eth0", "-n", "-U", "--immediate-mode", "-Z", "root", "-s2000", "-B16384", "-w", path, flt
        )
        self.proc.wait_line("listening on", 10)

    def stop(self, count):
        """Waits until tcpdump has written count frames, then ends it."""
        deadline = time.monotonic() + 5
        while len(frames(self.path)) < count and time.monotonic() < deadline:
            pass
        self.proc.stop()
        return frames(self.path)


def send_all(lab):
    """Datagrams, pings, other protocols and every DSCP value that VTrace itself uses as a colour, with each ECN."""
    lab.send_udp("vm1", "10.0.1.2", 5000, 50, src_port=4000)
    lab.send_udp("vm1", "10.0.1.2", 5000, 20, src_port=4000, size=1400, seed=3)
    lab.traffic("vm1", "raw-send", "10.0.1.2", 253, "-c", 10)
    for tos in (0x00, 0x0C, 0x1C, 0x2F, 0xB8, 0xFD, 0xFF):
        lab.run("vm1", "ping", "-c2", "-i0.01", "-W2", "-Q", str(tos), "10.0.1.2")
    return 50 + 20 + 10 + 14


@pytest.mark.parametrize("traced", [False, True], ids=["untraced", "traced"])
def test_packets_arrive_byte_identical(lab, agents, tmp_path, traced):
    lab.run("vm1", "ethtool", "-K", "eth0", "tx", "off")  # checksums are in the packet when it is captured
    lab.meet("vm1", "10.0.1.2")
    trace = agents.add(FLOW, 1000, 4) if traced else None
    sides = [Capture(lab, vm, tmp_path / f"{vm}.pcap", FLOW) for vm in ("vm1", "vm2")]
    count = send_all(lab)
    sent, received = [side.stop(count) for side in sides]
    assert len(sent) == count
    assert received == sent
    if trace:
        check_healthy(trace.end(), count, [("a", "vm1", "eth0"), ("b", "eth0", "vm2")])


def test_nothing_is_attached_without_a_task(lab, agents):
    before = {node: attached(lab, node) for node in AGENTS}
    for node, found in before.items():
        assert found["tcx"] == [] and found["tc"] == [] and found["xdp"] == [], (node, found)
        assert found["tables"] == (["ip nat"] if node == "gw" else []), (node, found)
        assert links_held(agents.agents[node]) == [], node
    lab.meet("vm1", "10.0.1.2")
    trace = agents.add(f"udp and {FLOW}", 10, 10)
    during = attached(lab, "a")
    assert during["tcx"] or during["tc"], during
    lab.send_udp("vm1", "10.0.1.2", 5000, 10)
    trace.end()
    wait_clean(lab, agents, before)


def wait_clean(lab, agents, before):
    """Disarming goes on after the result is there: asks until all is gone, two seconds at most."""
    deadline = time.monotonic() + 2
    while True:
        after = {node: attached(lab, node) for node in AGENTS}
        held = {node: links_held(agents.agents[node]) for node in AGENTS}
        if after == before and not any(held.values()):
            return
        assert time.monotonic() < deadline, (after, held)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_nothing_is_left_of_an_agent(lab, agents, how):
    """Killed while it traces; its tables may wait for the next agent, all else is gone at once, traffic goes on."""
    lab.meet("vm1", "10.0.2.3")
    before = {node: attached(lab, node) for node in AGENTS}
    trace = agents.add("udp and dst port 5000", 1000, 60)
    assert attached(lab, "gw")["tcx"] or attached(lab, "gw")["tc"]
    for node in AGENTS:
        getattr(agents.agents[node], how)()
    after = {node: attached(lab, node) for node in AGENTS}
    for node, found in after.items():
        assert found["tcx"] == [] and found["tc"] == [], (node, found)
        if how == "stop":
            assert found == before[node], (node, found)
    sink = lab.listen("vm3", "udp-sink", 5000, "-c", 20)
    lab.send_udp("vm1", "10.0.2.3", 5000, 20)
    assert "distinct 20" in sink.wait()
    agents.cli("cancel", trace.id, check=True)
    for node in AGENTS:
        agents.start_agent(node)
    wait_clean(lab, agents, before)


def test_an_agent_that_is_gone_does_not_block_the_others(lab, agents):
    agents.agents["gw"].kill()
    lab.meet("vm1", "10.0.1.2")
    result = agents.trace(f"udp and {FLOW} and dst port 5000", lambda: lab.send_udp("vm1", "10.0.1.2", 5000, 10))
    assert result["packets"]["delivered"] == 10 and result["causes"] == [], show(result)


def test_someone_elses_filter_stays(lab, agents, tmp_path):
    """clsact and its filters on a traced device belong to somebody else: they are there after a trace as before."""
    source, program = tmp_path / "ok.c", tmp_path / "ok.o"
    source.write_text('__attribute__((section("tc"), used)) int ok(void *ctx) { return -1; }\n')
    subprocess.run(["clang", "-O2", "-target", "bpf", "-c", source, "-o", program], check=True)
    lab.run("a", "tc", "qdisc", "add", "dev", "vm1", "clsact")
    lab.run("a", "tc", "filter", "add", "dev", "vm1", "ingress", "bpf", "da", "obj", program, "sec", "tc")
    before = lab.run("a", "tc", "filter", "show", "dev", "vm1", "ingress").stdout
    assert "ok.o" in before
    lab.meet("vm1", "10.0.1.2")
    result = agents.trace(f"udp and {FLOW} and dst port 5000", lambda: lab.send_udp("vm1", "10.0.1.2", 5000, 10))
    check_healthy(result, 10)
    agents.agents["a"].stop()
    assert lab.run("a", "tc", "filter", "show", "dev", "vm1", "ingress").stdout == before


def test_a_port_that_comes_while_tracing_is_followed(lab, agents):
    """A VM that is started anew has another device under the same name: it is attached to, in its network."""
    trace = agents.add("udp and src host 10.0.1.4", 10, 20)
    lab.run("a", "ip", "link", "del", "vm4")
    lab.run("a", "ip", "link", "add", "vm4", "type", "veth", "peer", "name", "eth0", "netns", f"{lab.prefix}-vm4")
    lab.run("a", "ip", "link", "set", "vm4", "up", "master", "br100")
    lab.run("vm4", "ip", "addr", "add", "10.0.1.4/24", "dev", "eth0")
    lab.run("vm4", "ip", "link", "set", "eth0", "up")
    deadline = time.monotonic() + 5
    while not {"vm4 ingress", "vm4 egress"} <= set(attached(lab, "a")["tcx"]):
        assert time.monotonic() < deadline, attached(lab, "a")
    lab.meet("vm4", "10.0.1.1")
    lab.send_udp("vm4", "10.0.1.1", 5000, 10)
    result = trace.end()
    check_healthy(result, 10, [("a", "vm4", "vm1")])
    assert result["paths"][0]["hops"][0]["vni"] == 100, show(result)


def test_groups_of_vxlan_are_the_tenants(lab, agents):
    """Host a's VXLAN devices send the mark along as the packet's group (gbp): the colour's bit of it stays at home."""
    lab.fault("vxlan-gbp-a")  # port 53 has group 7
    lab.run("wire", "nft", "table bridge seen { chain f { type filter hook forward priority 0; udp dport 4789 jump vxlan; }; "
            "chain vxlan { @th,64,8 & 0x80 == 0 counter comment none; @th,80,16 == 7 counter comment seven; "
            "@th,80,16 != 7 @th,64,8 & 0x80 == 0x80 counter comment other; }; }")
    lab.meet("vm1", "10.0.1.2")
    result = agents.trace("udp and dst host 10.0.1.2 and dst port 54", lambda: lab.send_udp("vm1", "10.0.1.2", 54, 10), count=10)
    check_healthy(result, 10, [("a", "vm1", "eth0"), ("b", "eth0", "vm2")])
    result = agents.trace("udp and dst host 10.0.1.2 and dst port 53", lambda: lab.send_udp("vm1", "10.0.1.2", 53, 10), count=10)
    assert result["packets"]["coloured"] == 10 and result["verdict"]["code"] == "header-bad", show(result)  # b knows no groups
    counted = lab.run("wire", "nft", "list", "chain", "bridge", "seen", "vxlan").stdout
    packets = {m[2]: int(m[1]) for m in re.finditer(r'counter packets (\d+) bytes \d+ comment "(\w+)"', counted)}
    assert packets["seven"] == 10 and packets["other"] == 0 and packets["none"] >= 10, counted
