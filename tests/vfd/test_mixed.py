# SPDX-License-Identifier: BSD-3-Clause
"""One trace over both kinds of devices: host a is the Linux kernel, on host b a VFD is in the kernel's place."""

import json
import os

import pytest

from checks import check_healthy, check_result, show
from devices import vfd_path
from lab import AGENTS, READY_S, Lab, System

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces, BPF and packet sockets")

FLOW = "udp and src host 10.0.1.1 and dst host 10.0.1.2 and dst port {}"
ROUTE = [("a", "vm1", "eth0"), ("b", "eth0", "vm2")]


def mac(lab, node, device):
    return json.loads(lab.run(node, "ip", "-j", "link", "show", "dev", device).stdout)[0]["address"]


@pytest.fixture
def mixed(tmp_path):
    """The lab of the end-to-end tests, its host b being a VFD with a security group at vm2."""
    path = vfd_path()
    lab = Lab()
    system = None
    config = {
        "networks": [{"name": "blue", "vni": 100}],
        "rules": [{"group": "web", "priority": 10, "action": "allow", "direction": "in", "protocol": "udp", "ports": "53"},
                  {"group": "web", "priority": 20, "action": "allow", "direction": "in", "protocol": "icmp"}],
        "ports": [
            {"name": "vm2", "vdev": "net_af_packet0,iface=vm2", "kind": "vm", "mac": mac(lab, "b", "vm2"), "network": "blue", "group": "web"},
            {"name": "eth0", "vdev": "net_af_packet1,iface=eth0", "kind": "underlay", "mac": mac(lab, "b", "eth0"), "address": "172.31.0.2"},
        ],
        "places": [
            {"network": "blue", "address": "10.0.1.2", "mac": mac(lab, "vm2", "eth0"), "port": "vm2"},
            {"network": "blue", "address": "10.0.1.1", "mac": mac(lab, "vm1", "eth0"), "vtep": "172.31.0.1"},
        ],
        "neighbours": [{"address": "172.31.0.1", "mac": mac(lab, "a", "eth0")}],
    }
    try:
        for vm in ("vm1", "vm2"):
            lab.run(vm, "ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off")
        for device in ("br100", "vx100", "br200", "vx200"):
            lab.run("b", "ip", "link", "del", device)
        lab.run("b", "ip", "addr", "flush", "dev", "eth0")
        (tmp_path / "b.json").write_text(json.dumps(config))
        vfd = lab.start("b", path, "--config", tmp_path / "b.json", "--socket", tmp_path / "b.sock")
        vfd.wait_line("^ready:", READY_S)
        system = System(lab, {**AGENTS, "b": ["--datapath", f"vfd:{tmp_path / 'b.sock'}"]})
        yield system
        assert system.stop() == []
        assert vfd.stop() == 0, vfd.output()
    finally:
        if system:
            system.stop()
        lab.down()


def test_one_trace_over_both(mixed):
    sink = mixed.lab.listen("vm2", "udp-sink", 53, "-c", 10, "-t", 10)
    mixed.lab.meet("vm1", "10.0.1.2")
    result = mixed.trace(FLOW.format(53), lambda: mixed.lab.traffic("vm1", "udp-send", "10.0.1.2", 53, "-c", 10, absorb=False))
    check_healthy(result, 10, ROUTE)
    assert "received 10" in sink.wait()
    kinds = {node["name"]: node["datapath"] for node in mixed.json("nodes")}
    assert kinds["a"] == "linux" and kinds["b"] == "vtrace-vfd", kinds


def test_a_drop_behind_the_kernel(mixed):
    mixed.lab.meet("vm1", "10.0.1.2")
    result = mixed.trace(FLOW.format(54), lambda: mixed.lab.traffic("vm1", "udp-send", "10.0.1.2", 54, "-c", 10, absorb=False))
    check_result(result)
    assert [(c["code"], c["node"], c["packets"], c["certainty"]) for c in result["causes"]] == [
        ("policy-group-default", "b", 10, "proven")
    ], show(result)


def test_a_loss_between_kernel_and_device(mixed):
    mixed.lab.meet("vm1", "10.0.1.2")
    mixed.lab.fault("underlay-drop")
    result = mixed.trace(FLOW.format(53), lambda: mixed.lab.traffic("vm1", "udp-send", "10.0.1.2", 53, "-c", 10, absorb=False))
    assert [(c["code"], c["node"], c["packets"]) for c in result["causes"]] == [("underlay-lost", "a", 10)], show(result)
