# SPDX-License-Identifier: BSD-3-Clause
"""Two devices and their VMs in network namespaces: vm1 - VFD a - underlay veth - VFD b - vm2.

The devices' ends of the veths have no addresses: all that the kernel does there is to carry frames.
"""

import json
import os
import pathlib
import select
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
VFD = pathlib.Path(os.environ.get("VTRACE_VFD", ROOT / "build/vfd/vtrace-vfd"))
VTRACE = ROOT / "build/vtrace"
TRAFFIC = ROOT / "build/lab/lab-traffic"
LIMIT = 20  # seconds that anything may take
MACS = {"a": "02:00:00:00:00:0a", "b": "02:00:00:00:00:0b", "vm1": "02:00:00:00:01:01", "vm2": "02:00:00:00:01:02"}
VMS = {"a": "vm1", "b": "vm2"}
ADDRESSES = {"vm1": ["10.0.1.1", "fd00:1::1"], "vm2": ["10.0.1.2", "fd00:1::2"]}
GATEWAY = "02:00:00:00:01:fe"


def command(*argv, check=True, **options):
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=check, timeout=LIMIT, **options)


def wait_for(what, condition):
    """Polls until the condition holds; its value."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        select.select([], [], [], 0.02)
    raise AssertionError(f"not within {LIMIT} s: {what}")


class Process:
    """A program in a namespace whose output is read line by line, each with a limit."""

    def __init__(self, netns, *argv):
        argv = ["ip", "netns", "exec", netns, *map(str, argv)]
        self.popen = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.lines = []

    def expect(self, word):
        end = time.monotonic() + LIMIT
        while True:
            ready, _, _ = select.select([self.popen.stdout], [], [], max(0, end - time.monotonic()))
            line = self.popen.stdout.readline() if ready else ""
            self.lines.append(line)
            if word in line:
                return line
            assert line, f"'{word}' did not come: {self.lines}, status {self.popen.poll()}"

    def end(self, sig=signal.SIGTERM):
        """Ends it; the status, and the rest of its output."""
        if self.popen.poll() is None:
            self.popen.send_signal(sig)
        try:
            rest, _ = self.popen.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            rest, _ = self.popen.communicate()
        return self.popen.returncode, rest


def base_config(host, outer=4):
    """What device `host` needs to carry vm1 <-> vm2, over IPv4 or IPv6."""
    number, other, vm = (1, "b", "vm1") if host == "a" else (2, "a", "vm2")
    net = {4: "172.31.0.{}", 6: "fd31::{}"}[outer]
    remote = VMS[other]
    return {
        "ports": [
            {"name": "eth0", "kind": "underlay", "vdev": "net_af_packet0,iface=eth0", "mac": MACS[host], "mtu": 1600},
            {"name": vm, "kind": "vm", "vdev": f"net_af_packet1,iface={vm}", "mtu": 1500},
        ],
        "vtep": {"port": "eth0", "addresses": [net.format(number) + ("/24" if outer == 4 else "/64")]},
        "vpcs": [{
            "name": "blue", "vni": 100,
            "gateway": {"mac": GATEWAY, "addresses": ["10.0.1.254", "fd00:1::fe"]},
            "vms": [{"port": vm, "mac": MACS[vm], "addresses": ADDRESSES[vm]}],
            "remotes": [{"prefix": a, "mac": MACS[remote], "vtep": net.format(3 - number)} for a in ADDRESSES[remote]],
        }],
    }


class Pair:
    """`change` may edit the configurations, {"a": …, "b": …}, before the devices start."""

    def __init__(self, tmp_path, outer=4, change=None, start=("a", "b")):
        self.prefix = f"vfd{os.getpid()}"
        self.tmp = tmp_path
        self.configs = {host: base_config(host, outer) for host in VMS}
        self.start = start
        self.devices = {}
        self.others = []
        if change:
            change(self.configs)

    def ns(self, node):
        return f"{self.prefix}-{node}"

    def up(self):
        command("ip", "netns", "add", self.ns("ctl"))
        for node in (*VMS, *VMS.values()):
            command("ip", "netns", "add", self.ns(node))
            self.sh(node, "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6" if node in VMS else
                    "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/default/router_solicitations")
        command("ip", "link", "add", "eth0", "index", "10", "netns", self.ns("a"), "mtu", "1600", "type", "veth",
                "peer", "name", "eth0", "index", "11", "netns", self.ns("b"), "mtu", "1600")
        for host, vm in VMS.items():
            command("ip", "link", "add", "eth0", "index", "20", "netns", self.ns(vm), "address", MACS[vm], "type", "veth",
                    "peer", "name", vm, "index", "21", "netns", self.ns(host))
            self.sh(host, f"ip link set eth0 up; ip link set {vm} up")
            self.sh(vm, "ip link set lo up; ip link set eth0 up; ethtool -K eth0 tx off tso off gso off >/dev/null;"
                    f"ip addr add {ADDRESSES[vm][0]}/24 dev eth0; ip addr add {ADDRESSES[vm][1]}/64 dev eth0 nodad;"
                    "ip route add default via 10.0.1.254; ip route add default via fd00:1::fe")
        for host in self.start:
            self.device_start(host)

    def path(self, host, suffix):
        return self.tmp / f"{host}.{suffix}"

    def write(self, host):
        self.path(host, "json").write_text(json.dumps(self.configs[host], indent=1), encoding="utf-8")

    def device_start(self, host):
        self.write(host)
        self.devices[host] = Process(self.ns(host), VFD, "--config", self.path(host, "json"), "--ctl",
                                     self.path(host, "ctl"), "--socket", self.path(host, "vdg"))
        self.devices[host].expect("ready:")

    def sh(self, node, script, check=True):
        return command("ip", "netns", "exec", self.ns(node), "sh", "-e", "-c", script, check=check)

    def process(self, node, *argv):
        self.others.append(Process(self.ns(node), *argv))
        return self.others[-1]

    def show(self, host, what):
        return [json.loads(line) for line in self.ctl(host, "show", what).splitlines()]

    def ctl(self, host, *words):
        return command(VFD, "ctl", self.path(host, "ctl"), *words).stdout

    def drops(self, host):
        """{reason: the row of `show drops`}"""
        return {row["reason"]: row for row in self.show(host, "drops")}

    def dropped(self, host, reason, packets):
        """Waits until so many have been dropped for this reason; its row. More is a failure too."""
        row = wait_for(f"{packets} drops {reason} at {host}",
                       lambda: self.drops(host).get(reason, {"packets": 0})["packets"] >= packets and self.drops(host)[reason])
        assert row["packets"] == packets, row
        return row

    def vtrace(self, *argv):
        return command("ip", "netns", "exec", self.ns("ctl"), VTRACE, *argv).stdout

    def agents_start(self):
        """A server, and an agent for each device; they meet in a namespace of their own."""
        self.sh("ctl", "ip link set lo up")
        self.process("ctl", VTRACE, "server", "--data", self.tmp / "data").expect("ready:")
        for host in self.start:
            self.process("ctl", VTRACE, "agent", "--node", host, "--datapath", f"vfd:{self.path(host, 'vdg')}").expect("ready:")

    def trace(self, flt, traffic, count=20, *options):
        """The result of a trace of what traffic() sends."""
        time_given = () if "--time" in options else ("--time", 15)
        task = self.vtrace("add", flt, "--count", count, *time_given, *options).strip()
        traffic()
        return json.loads(self.vtrace("result", task, "--wait", "--packets", "--json"))

    def result(self, task, status=0):
        """Of a trace at its end; status 3: nothing matched."""
        argv = ["ip", "netns", "exec", self.ns("ctl"), VTRACE, "result", task, "--wait", "--json"]
        done = command(*argv, check=False)
        assert done.returncode == status, done
        return json.loads(done.stdout)

    def sink(self, node, port, count):
        sink = self.process(node, TRAFFIC, "udp-sink", port, "-c", count, "-t", 10)
        sink.expect("ready")
        return sink

    def send(self, node, address, port, *options):
        return self.sh(node, " ".join(map(str, (TRAFFIC, "udp-send", address, port, "-r", 2000, *options)))).stdout

    def down(self):
        """Ends and removes all; what a device said or ended with that it should not have."""
        for process in self.others:
            process.end(signal.SIGKILL)
        faults = []
        for host, process in self.devices.items():
            status, rest = process.end()
            if status or "runtime error" in rest or "Sanitizer" in rest:
                faults.append((host, status, rest[-2000:]))
        for node in ("ctl", *VMS, *VMS.values()):
            command("ip", "netns", "del", self.ns(node), check=False)
        return faults
