# SPDX-License-Identifier: BSD-3-Clause
"""Three devices in a chain, vm1 - 0 - 1 - 2 - vm2, joined by veths: each has vm1 at one port and vm2 at the other."""

import json
import os

from device import ADDRESSES, GATEWAY, MACS, VFD, Process, command

LENGTH = 3
DRIVERS = {"af_packet": "net_af_packet{},iface={}", "af_xdp": "net_af_xdp{},iface={}"}


class Chain:
    def __init__(self, tmp_path, driver):
        self.prefix = f"chain{os.getpid()}"
        self.tmp = tmp_path
        self.vdev = DRIVERS[driver]
        self.devices = []

    def ns(self, node):
        return f"{self.prefix}-{node}"

    def sh(self, node, script):
        return command("ip", "netns", "exec", self.ns(node), "sh", "-e", "-c", script).stdout

    def link(self, left, left_name, right, right_name):
        command("ip", "link", "add", left_name, "netns", self.ns(left), "type", "veth",
                "peer", "name", right_name, "netns", self.ns(right))
        for node, name in (left, left_name), (right, right_name):
            self.sh(node, f"ip link set {name} up")

    def up(self):
        nodes = ["vm1", *range(LENGTH), "vm2"]
        for node in nodes:
            command("ip", "netns", "add", self.ns(node))
            self.sh(node, "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
        for left, right in zip(nodes, nodes[1:]):
            self.link(left, "eth0" if left == "vm1" else "out", right, "eth0" if right == "vm2" else "in")
        for vm in "vm1", "vm2":
            self.sh(vm, f"ip link set eth0 address {MACS[vm]}; ethtool -K eth0 tx off >/dev/null; ip addr add {ADDRESSES[vm][0]}/24 dev eth0")
        for number in range(LENGTH):
            self.start(number)

    def start(self, number):
        config = {
            "ports": [{"name": name, "kind": "vm", "vdev": self.vdev.format(i, name)} for i, name in enumerate(("in", "out"))],
            "vpcs": [{"name": "blue", "vni": 100, "gateway": {"mac": GATEWAY, "addresses": ["10.0.1.254"]},
                      "vms": [{"port": port, "mac": MACS[vm], "addresses": ADDRESSES[vm]}
                              for port, vm in (("in", "vm1"), ("out", "vm2"))]}],
        }
        path = self.tmp / f"{number}.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        self.devices.append(Process(self.ns(number), VFD, "--config", path, "--ctl", self.tmp / f"{number}.ctl"))
        self.devices[-1].expect("ready:")

    def show(self, number, what):
        reply = command(VFD, "ctl", self.tmp / f"{number}.ctl", "show", what, "--json").stdout
        return [json.loads(line) for line in reply.splitlines()]

    def counters(self):
        """What each device has received at its first port, sent at its second, and dropped."""
        rows = []
        for number in range(LENGTH):
            ports = {p["name"]: p for p in self.show(number, "ports")}
            rows.append((ports["in"]["rx"], ports["out"]["tx"], {d["reason"]: d["packets"] for d in self.show(number, "drops")}))
        return rows

    def cpu_s(self):
        """Seconds of CPU that each device has used."""
        ticks = os.sysconf("SC_CLK_TCK")
        used = []
        for device in self.devices:
            with open(f"/proc/{device.popen.pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            used.append((int(fields[11]) + int(fields[12])) / ticks)
        return used

    def down(self):
        for device in self.devices:
            device.end()
        for node in ("vm1", *range(LENGTH), "vm2"):
            command("ip", "netns", "del", self.ns(node), check=False)
