# SPDX-License-Identifier: BSD-3-Clause
"""What forwarding costs, as nanoseconds of CPU a packet for the whole path vm1 -> VXLAN -> vm2, in rounds over all states."""

import contextlib
import os
import subprocess

from client import Client
from lab import SERVER, Proc, System

FLOW = "udp and src host 10.0.1.1 and dst host 10.0.1.2"
PORTS = range(5000, 5010)  # path.h: PATH_PORT_FIRST, PATH_FLOWS
CPU = 1  # the other one is for everything else
HOUR = 3600
WARM_UP = 5000
RUNS = 3


class Path:
    """bench-path, the generator and sink."""

    def __init__(self, lab, program):
        cpu = min(CPU, len(os.sched_getaffinity(0)) - 1)
        self.popen = subprocess.Popen([program, lab.prefix, str(cpu)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer("ready")
        self.run(WARM_UP)

    def _answer(self, wanted=None):
        line = self.popen.stdout.readline().strip()
        if not line or (wanted and line != wanted):
            raise RuntimeError(f"bench-path said {line!r}")
        return line

    def ask(self, command):
        print(command, file=self.popen.stdin, flush=True)
        return [int(word) for word in self._answer().split()]

    def run(self, frames):
        """(CPU ns a frame, frames lost)"""
        sent, received, cpu, _ = self.ask(f"run {frames}")
        return cpu / max(received, 1), sent - received

    def close(self):
        self.popen.stdin.close()
        self.popen.wait(10)


# The filters of tasks that match nothing: full five-tuples of one shape, as people trace one flow each; or ten shapes.


def one_shape(n):
    return [f"{FLOW} and dst port {20000 + i}" for i in range(n)]


def ten_shapes():
    return [f"udp and src net 172.16.0.0/{16 + i} and dst port {20000 + i}" for i in range(10)]


@contextlib.contextmanager
def tasks(client, filters, **options):
    ids = [client.add(flt, seconds=HOUR, **options) for flt in filters]
    try:
        yield
    finally:
        for trace in ids:
            client.cancel(trace)


@contextlib.contextmanager
def matching(client):
    """Ten tasks, one a flow. The answers that they wait for too never come, so they stay when 100 packets are coloured."""
    with tasks(client, [f"{FLOW} and dst port {port}" for port in PORTS], count=100, bidirectional=True):
        yield


@contextlib.contextmanager
def empty(path):
    path.ask("empty on")
    try:
        yield
    finally:
        path.ask("empty off")


@contextlib.contextmanager
def tcpdump(lab, flt):
    """On hosts a and b, where agents would be on the path."""
    procs = [Proc(lab.command(node, ["tcpdump", "-i", "any", "-n", "-w", "/dev/null", flt]), "tcpdump") for node in "ab"]
    try:
        for proc in procs:
            proc.wait_line("listening on", 10)
        yield
    finally:
        for proc in procs:
            proc.stop()


MATCHING_DUMP = f"{FLOW} and dst portrange {PORTS[0]}-{PORTS[-1]}"
NEVER_DUMP = f"{FLOW} and dst portrange 20000-20009"


class Rounds:
    """ns[state] has one value a round, None where a state was left out in that round."""

    def __init__(self, lab, path, frames):
        self.lab, self.path, self.frames = lab, path, frames
        self.ns, self.lost = {}, {}

    def visit(self, state, around=contextlib.nullcontext, each=False):
        """The least disturbed of three runs. `each`: the state is entered anew for every run, as it is used up by one."""
        best = None
        with contextlib.nullcontext() if each else around():
            for _ in range(RUNS):
                with around() if each else contextlib.nullcontext():
                    ns, lost = self.path.run(self.frames)
                best = min(best or ns, ns)
                self.lost[state] = self.lost.get(state, 0) + lost
        self.ns.setdefault(state, []).append(best)

    def skip(self, state):
        self.ns.setdefault(state, []).append(None)

    def round(self, with_256):
        self.visit("tcpdump-match", lambda: tcpdump(self.lab, MATCHING_DUMP))
        self.visit("tcpdump-never", lambda: tcpdump(self.lab, NEVER_DUMP))
        self.visit("nothing")
        system = System(self.lab)
        client = Client(self.lab, SERVER)
        try:
            self.visit("agent")
            self.visit("ten-shapes", lambda: tasks(client, ten_shapes()))
            self.visit("empty", lambda: empty(self.path))
            self.visit("ten", lambda: tasks(client, one_shape(10)))
            self.visit("ten-matching", lambda: matching(client), each=True)
            if with_256:
                self.visit("256", lambda: tasks(client, one_shape(256)))
            else:
                self.skip("256")
        finally:
            client.close()
            system.stop()

    def ratios(self, state, base):
        """Of the rounds in which there are both."""
        return [a / b for a, b in zip(self.ns[state], self.ns[base]) if a and b]
