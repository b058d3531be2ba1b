# SPDX-License-Identifier: BSD-3-Clause
"""Two VFDs, each in a namespace of its own, a VM at each, and a cable for an underlay between them:

    vm1 --- vm1:a:eth0 --- eth0:b:vm2 --- vm2

The devices' ports are af_packet sockets on veths. Everything is named by this process, and goes when the test ends."""

import contextlib
import itertools
import json
import os
import re
import subprocess
import tempfile

import pytest

from lab import READY_S, Proc, Trace, counts
from programs import ROOT, program, traffic_path, vtrace_path

SERVER = "http://127.0.0.1:8471"
MACS = {"vm1": "02:00:00:00:00:01", "vm2": "02:00:00:00:00:02", "a": "02:aa:00:00:00:01", "b": "02:aa:00:00:00:02"}
VM = {"a": "vm1", "b": "vm2"}
NUMBER = {"a": 1, "b": 2}
RULES = [
    {"group": "web", "priority": 10, "action": "allow", "direction": "in", "protocol": "udp", "ports": "53", "peer": "10.0.1.0/24"},
    {"group": "web", "priority": 20, "action": "deny", "direction": "in", "protocol": "udp", "ports": "1000-2000"},
    {"group": "web", "priority": 30, "action": "allow", "direction": "in", "protocol": "icmp"},
]
_numbers = itertools.count(1)


def vfd_path():
    path = ROOT / "build/vfd/vtrace-vfd"
    if not path.exists():
        pytest.skip("vtrace-vfd is not built: DPDK is missing")
    return program("VTRACE_VFD", "build/vfd/vtrace-vfd")


def config(me):
    """What both devices know; a test changes it before they start, or for a reload."""
    other = "b" if me == "a" else "a"
    mine, theirs = NUMBER[me], NUMBER[other]
    return {
        "networks": [{"name": "blue", "vni": 100}],
        "rules": [dict(rule) for rule in RULES],
        "ports": [
            {"name": VM[me], "vdev": f"net_af_packet0,iface={VM[me]}", "kind": "vm", "mac": f"02:00:00:00:01:0{mine}",
             "network": "blue", "group": "web"},
            {"name": "eth0", "vdev": "net_af_packet1,iface=eth0", "kind": "underlay", "mac": MACS[me], "address": f"172.31.0.{mine}"},
        ],
        "places": [
            {"network": "blue", "address": f"10.0.1.{mine}", "mac": MACS[VM[me]], "port": VM[me]},
            {"network": "blue", "address": f"10.0.1.{theirs}", "mac": MACS[VM[other]], "vtep": f"172.31.0.{theirs}"},
        ],
        "routes": [{"network": "blue", "prefix": "10.9.0.0/16", "blackhole": True}],
        "neighbours": [{"address": f"172.31.0.{theirs}", "mac": MACS[other]}],
    }


class Devices:
    """The namespaces, and what runs in them."""

    def __init__(self):
        self.prefix = f"v{os.getpid()}-{next(_numbers)}"
        self.folder = tempfile.TemporaryDirectory(prefix="vtrace-vfd-")
        self.configs = {me: config(me) for me in VM}
        self.procs, self.vfds, self.agents = [], {}, {}
        try:
            self._up()
        except BaseException:
            self.down()
            raise

    def _up(self):
        for node in ("vm1", "vm2", "a", "b", "ctl"):
            run("ip", "netns", "add", f"{self.prefix}-{node}")
            self.run(node, "ip", "link", "set", "lo", "up")
        for me, vm in VM.items():
            run("ip", "link", "add", vm, "netns", f"{self.prefix}-{me}", "type", "veth", "peer", "name", "eth0", "netns",
                f"{self.prefix}-{vm}", "address", MACS[vm])
        run("ip", "link", "add", "eth0", "mtu", "1600", "netns", f"{self.prefix}-a", "type", "veth", "peer", "name", "eth0", "mtu",
            "1600", "netns", f"{self.prefix}-b")
        for me, vm in VM.items():
            self.run(vm, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            self.run(vm, "ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off")  # a device in user space sees the packets
            self.run(vm, "ip", "addr", "add", f"10.0.1.{NUMBER[me]}/24", "dev", "eth0")
            self.run(vm, "ip", "link", "set", "eth0", "up")
            self.run(vm, "ip", "route", "add", "default", "dev", "eth0")
            for port in (vm, "eth0"):
                self.run(me, "sysctl", "-qw", f"net.ipv6.conf.{port}.disable_ipv6=1")
                self.run(me, "ip", "link", "set", port, "up")

    def down(self):
        for proc in reversed(self.procs):
            proc.stop()
        for node in ("vm1", "vm2", "a", "b", "ctl"):
            subprocess.run(["ip", "netns", "del", f"{self.prefix}-{node}"], stderr=subprocess.DEVNULL, check=False)
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def command(self, node, argv):
        return ["ip", "netns", "exec", f"{self.prefix}-{node}", *map(str, argv)]

    def run(self, node, *argv):
        return run(*self.command(node, argv))

    def start(self, node, *argv):
        proc = Proc(self.command(node, argv), f"{node}: {os.path.basename(str(argv[0]))}")
        self.procs.append(proc)
        return proc

    def write(self, me):
        with open(self.path(f"{me}.json"), "w", encoding="utf-8") as file:
            json.dump(self.configs[me], file)

    def start_vfds(self):
        for me in VM:
            self.write(me)
            self.vfds[me] = self.start(
                me, vfd_path(), "--config", self.path(f"{me}.json"), "--socket", self.path(f"{me}.sock"), "--ctl", self.path(f"{me}.ctl")
            )
        for me in VM:
            self.vfds[me].wait_line("^ready:", READY_S)

    def start_vtrace(self):
        """Server and agents share a namespace: agents reach their devices by file, and the server by loopback."""
        server = self.start("ctl", vtrace_path(), "server", "--data", self.path("data"))
        server.wait_line("^ready:", READY_S)
        for me in VM:
            self.agents[me] = self.start(
                "ctl", vtrace_path(), "agent", "--server", SERVER, "--node", me, "--datapath", f"vfd:{self.path(f'{me}.sock')}"
            )
        for agent in self.agents.values():
            agent.wait_line("^ready:", READY_S)

    def ctl(self, me, *request):
        return json.loads(run(vfd_path(), "ctl", self.path(f"{me}.ctl"), *request))

    def drops(self, me):
        return {name: n for name, n in self.ctl(me, "show", "drops").items() if n}

    def reload(self, me):
        self.write(me)
        self.vfds[me].popen.send_signal(1)
        self.vfds[me].wait_line("^reloaded:", READY_S)

    def listen(self, node, *args):
        proc = self.start(node, traffic_path(), *args)
        proc.wait_line("^ready", READY_S)
        return proc

    def traffic(self, node, *args):
        return counts(self.run(node, traffic_path(), *args))

    # What Trace of the end-to-end tests wants of a system

    def cli(self, *argv, timeout=60):
        return subprocess.run(
            self.command("ctl", [vtrace_path(), *argv]), capture_output=True, text=True, timeout=timeout, check=False,
            env={**os.environ, "VTRACE_SERVER": SERVER}, stdin=subprocess.DEVNULL,
        )

    def json(self, *argv, check=True, allowed=(0,), timeout=60):
        done = self.cli(*argv, "--json", timeout=timeout)
        assert not check or done.returncode in allowed, f"vtrace {argv}: {done.returncode}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def trace(self, flt, send, count=10, seconds=10):
        trace = Trace(self, self.json("add", flt, "--count", count, "--time", seconds)["id"])
        trace.wait_state("tracing")
        send()
        return trace.end()


def run(*argv):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, argv))}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@contextlib.contextmanager
def devices(change=None, vtrace=False):
    """Running devices; change(configs) comes before they start."""
    vfd_path()
    made = Devices()
    try:
        if change:
            change(made.configs)
        made.start_vfds()
        if vtrace:
            made.start_vtrace()
        yield made
        for proc in [*made.agents.values(), *made.vfds.values()]:
            assert proc.stop() == 0, proc.output()
            assert not re.search("Sanitizer|runtime error", proc.output()), proc.output()
    finally:
        made.down()
