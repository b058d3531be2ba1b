# SPDX-License-Identifier: BSD-3-Clause
"""A lab (lab/up) with VTrace's server and agents in it, for the end-to-end tests.

Lab is the topology, Proc a program started in one of its nodes, System the server and the agents, Trace one trace.
Nothing here sleeps for luck: each wait is for a line of output, a state or an end, with a limit.
"""

import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time

from checks import check_result
from programs import ROOT, traffic_path, vtrace_path

SERVER = "http://172.30.0.254:8471"
AGENTS = {"a": ["--kind", "vswitch"], "b": ["--kind", "vswitch"], "gw": ["--kind", "vrouter"]}
READY_S = 10  # a server or an agent that is not ready by then never will be
RESULT_S = 20  # beyond a trace's own time: arming, the long buffer (4 s), and a loaded machine
STOP_S = 3  # the contract says one second; the tests' machine may be busy
SINK_PACKETS, SINK_S = 1 << 20, 600  # a receiver that is to outlive its test
OWNERS = {
    "10.0.1.1": ("vm1", "vm5"), "10.0.1.2": ("vm2", "vm6"), "10.0.2.3": ("vm3",), "10.0.1.4": ("vm4",), "203.0.113.10": ("ext",),
    "fd01::1": ("vm1", "vm5"), "fd01::2": ("vm2", "vm6"), "fd02::3": ("vm3",), "fd01::4": ("vm4",), "2001:db8:f::10": ("ext",),
}
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:")

_numbers = itertools.count(1)


class Proc:
    """A running program whose output is read as it comes, so that waiting for a line never blocks the program."""

    def __init__(self, argv, name, env=None):
        self.name = name
        self.lines = []
        self._cond = threading.Condition()
        self._closed = False
        self.popen = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", env=env,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self):
        return self.popen.pid

    def _read(self):
        for line in self.popen.stdout:
            with self._cond:
                self.lines.append(line.rstrip("\n"))
                self._cond.notify_all()
        with self._cond:
            self._closed = True
            self._cond.notify_all()

    def wait_line(self, pattern, timeout):
        """The first line that matches; an error with all output if the program ends or the time is over before."""
        regex = re.compile(pattern)
        deadline = time.monotonic() + timeout
        seen = 0
        with self._cond:
            while True:
                for line in self.lines[seen:]:
                    if regex.search(line):
                        return line
                seen = len(self.lines)
                left = deadline - time.monotonic()
                if self._closed or left <= 0:
                    why = "ended" if self._closed else f"said nothing like it in {timeout} s"
                    raise AssertionError(f"{self.name}: waited for /{pattern}/, but it {why}:\n{self.output()}")
                self._cond.wait(left)

    def wait(self, timeout=30):
        """Waits for the end; returns the output. A program that does not end is killed and reported."""
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name}: still running after {timeout} s:\n{self.output()}") from None
        self._reader.join(5)
        return self.output()

    def stop(self, timeout=5):
        """SIGTERM, then SIGKILL where that is not heeded; returns the exit status."""
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        self._reader.join(5)
        return self.popen.returncode

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()

    def output(self):
        return "\n".join(self.lines)


class Lab:
    """One topology of its own, with a prefix nobody else has."""

    def __init__(self, folder="lab", **options):
        self.folder = ROOT / folder
        self.prefix = f"t{os.getpid()}-{next(_numbers)}"
        self.env = {**os.environ, "LAB": self.prefix, **{k: str(v) for k, v in options.items()}}
        self.procs = []
        self.listening = {}  # (node, port): receiver of datagrams
        self._script("up", self.prefix)

    def _script(self, name, *args):
        done = subprocess.run([str(self.folder / name), *args], env=self.env, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"lab/{name} {' '.join(args)}: {done.stderr}")
        return done.stdout

    def down(self):
        for proc in reversed(self.procs):
            proc.stop()
        self._script("down", self.prefix)

    def fault(self, name, state="on"):
        self._script("fault", name, state)

    def command(self, node, argv):
        return ["ip", "netns", "exec", f"{self.prefix}-{node}", *map(str, argv)]

    def run(self, node, *argv, timeout=60, check=True):
        done = subprocess.run(
            self.command(node, argv), capture_output=True, text=True, timeout=timeout, env=self.env,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{node}: {' '.join(map(str, argv))}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, node, *argv, env=None):
        proc = Proc(self.command(node, argv), f"{node}: {pathlib.Path(str(argv[0])).name}", {**self.env, **(env or {})})
        self.procs.append(proc)
        return proc

    def tap_vm(self):
        """Starts vm7, the VM on a tap."""
        proc = Proc([str(ROOT / "lab" / "tapvm")], "tapvm", self.env)
        self.procs.append(proc)
        proc.wait_line("^ready", READY_S)

    # Traffic

    def traffic(self, node, *args, check=True, timeout=60, absorb=True):
        """Runs lab-traffic to its end; returns its counts, as {"sent": 10} or {"received": 10, "bytes": 640, …}.

        Datagrams for a port where nobody listens are dropped by the VM, which is a fault too: `absorb` has them taken."""
        if absorb and args[0] == "udp-send":
            self.absorb(args[1], args[2])
        return counts(self.run(node, traffic_path(), *args, check=check, timeout=timeout).stdout)

    def listen(self, node, *args):
        """Starts a receiver of lab-traffic and waits until it listens."""
        proc = self.start(node, traffic_path(), *args)
        proc.wait_line("^ready", READY_S)
        if args[0].startswith("udp"):
            self.listening[node, int(args[1])] = proc
        return proc

    def absorb(self, dst, port):
        """Somebody listens at this address and port: a receiver is started where there is none."""
        for node in OWNERS.get(dst, ()):
            if (node, int(port)) not in self.listening:
                self.listen(node, "udp-sink", port, "-c", SINK_PACKETS, "-t", SINK_S)

    def send_udp(self, node, dst, port, count=10, **options):
        """options: rate, size, seed, src_port"""
        flags = {"rate": "-r", "size": "-s", "seed": "-S", "src_port": "-p"}
        extra = [x for key, value in options.items() for x in (flags[key], value)]
        return self.traffic(node, "udp-send", dst, port, "-c", count, *extra)

    def meet(self, node, dst):
        """One ping, so that neighbours are known before a trace and its counts are not about ARP."""
        self.run(node, "ping", "-c1", "-W3", dst)


def counts(text):
    """The last line of lab-traffic: pairs of a word and a number."""
    words = text.strip().splitlines()[-1].split() if text.strip() else []
    return {word: int(number) for word, number in zip(words[::2], words[1::2])}


class Trace:
    """One trace, from its id."""

    def __init__(self, system, trace_id):
        self.system = system
        self.id = trace_id

    def result(self, *flags, check=True):
        return self.system.json("result", self.id, *flags, check=check)

    def wait_state(self, *states, timeout=5):
        """Until the trace is in one of the states; asking is what the interface offers, so it asks."""
        deadline = time.monotonic() + timeout
        while True:
            result = self.result()
            if result["state"] in states:
                return result
            assert time.monotonic() < deadline, f"trace {self.id} is still {result['state']}, not {states}"

    def end(self, *flags):
        """The result once it is certain. Status 3 says that nothing matched: that is an answer too."""
        return self.system.json("result", self.id, "--wait", *flags, allowed=(0, 3))


class System:
    """VTrace in a lab: one server on the management network, one agent a host."""

    def __init__(self, lab, nodes=None):
        """nodes: options of the agent of each, AGENTS if not given."""
        self.lab = lab
        nodes = AGENTS if nodes is None else nodes
        self.options = {**AGENTS, **dict(nodes)}
        self.data = tempfile.mkdtemp(prefix="vtrace-e2e-")
        self.server = None
        self.agents = {}
        try:
            self.start_server()
            for node in nodes:
                self.start_agent(node, wait=False)
            for node in nodes:
                self.agents[node].wait_line("^ready:", READY_S)
        except BaseException:
            self.stop()
            raise

    def start_server(self):
        self.server = self.lab.start(
            "ctl", vtrace_path(), "server", "--listen", SERVER.removeprefix("http://"), "--insecure", "--data", self.data
        )
        self.server.wait_line("^ready:", READY_S)

    def start_agent(self, node, wait=True, under=()):
        """under: a program and its arguments that become the agent. {lab} in its options is the lab's prefix."""
        options = [word.format(lab=self.lab.prefix) for word in self.options[node]]
        self.agents[node] = self.lab.start(
            node, *under, vtrace_path(), "agent", "--server", SERVER, "--node", node, *options
        )
        if wait:
            self.agents[node].wait_line("^ready:", READY_S)

    def wait_connected(self, node, timeout=READY_S):
        """Until the server has the agent; asking is what the interface offers, so it asks."""
        deadline = time.monotonic() + timeout
        while True:
            nodes = self.json("nodes")
            if any(n["name"] == node and n["state"] == "connected" for n in nodes):
                return
            assert time.monotonic() < deadline, f"{node} is not connected: {nodes}"

    def stop(self):
        """Ends all that runs; returns what was wrong with how it ran or ended, by the sanitizers' word or its status."""
        wrong = []
        for proc in [*self.agents.values(), self.server]:
            if not proc:
                continue
            running = proc.popen.poll() is None
            start = time.monotonic()
            status = proc.stop()
            if running and (status != 0 or time.monotonic() - start > STOP_S):
                wrong.append(f"{proc.name} ended with {status} {time.monotonic() - start:.1f} s after SIGTERM")
            if SANITIZER.search(proc.output()):
                wrong.append(f"{proc.name}: {proc.output()}")
        shutil.rmtree(self.data, ignore_errors=True)
        return wrong

    def logs(self):
        procs = [self.server, *self.agents.values()]
        return "\n".join(f"--- {p.name} (pid {p.pid})\n{p.output()}" for p in procs if p)

    def cli(self, *argv, timeout=60, check=False, stdin=None):
        """Runs the CLI where an operator would."""
        done = subprocess.run(
            self.lab.command("ctl", [vtrace_path(), *argv]), capture_output=True, text=True, timeout=timeout,
            env={**self.lab.env, "VTRACE_SERVER": SERVER}, input=stdin or "",
        )
        assert not check or done.returncode == 0, f"vtrace {argv}: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *argv, check=True, allowed=(0,), timeout=60):
        done = self.cli(*argv, "--json", timeout=timeout)
        assert not check or done.returncode in allowed, (
            f"vtrace {' '.join(map(str, argv))}: status {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return json.loads(done.stdout)

    def add(self, flt, count=10, seconds=10, bidirectional=False, armed=True):
        """Adds a trace and waits until packets sent from now on are coloured."""
        flags = ["--bidirectional"] if bidirectional else []
        trace = Trace(self, self.json("add", flt, "--count", count, "--time", seconds, *flags)["id"])
        if armed:
            trace.wait_state("tracing")
        return trace

    def trace(self, flt, send, count=10, seconds=10, bidirectional=False, flags=()):
        """Adds a trace, calls send() once it is armed, returns the certain result."""
        trace = self.add(flt, count, seconds, bidirectional)
        send()
        result = trace.end(*flags)
        check_result(result)
        return result
