# SPDX-License-Identifier: BSD-3-Clause
"""What forwarding costs, as nanoseconds of CPU a packet for the whole path vm1 -> VXLAN -> vm2, in rounds over all states."""

import contextlib
import os
import subprocess

from client import Client
from lab import SERVER, Proc, System
from report import PAIRS_MIN

FLOW = "udp and src host 10.0.1.1 and dst host 10.0.1.2"
PORTS = range(5000, 5010)  # path.h: PATH_PORT_FIRST, PATH_FLOWS
CPU = 1  # the other one is for everything else
HOUR = 3600
WARM_UP = 5000
RUNS = 3
RUNS_MAX = 6
BUSY_MAX = 0.25  # of the other CPUs; 2 cores: a run is disturbed where something else takes a quarter of one


class Path:
    """bench-path, the generator and sink."""

    def __init__(self, lab, program):
        cpu = self.cpu = min(CPU, os.cpu_count() - 1)
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


def others_ticks(cpu):
    """(busy, all) clock ticks so far of all other CPUs. What is busy there slows us: shared caches, shared cores."""
    busy = total = 0
    with open("/proc/stat", encoding="ascii") as f:
        for line in f:
            words = line.split()
            if words[0].startswith("cpu") and words[0] not in ("cpu", f"cpu{cpu}"):
                ticks = [int(word) for word in words[1:9]]
                total += sum(ticks)
                busy += sum(ticks) - ticks[3] - ticks[4]
    return busy, total


class Rounds:
    """ns[state] and quiet[state] have one value a round; ns is None where a state was left out in that round."""

    def __init__(self, lab, path, frames):
        self.lab, self.path, self.frames = lab, path, frames
        self.ns, self.quiet, self.lost = {}, {}, {}

    def _run(self):
        """(disturbed, CPU ns a frame, frames lost)"""
        busy, total = others_ticks(self.path.cpu)
        ns, lost = self.path.run(self.frames)
        busy_end, total_end = others_ticks(self.path.cpu)
        return busy_end - busy > BUSY_MAX * (total_end - total), ns, lost

    def visit(self, state, around=contextlib.nullcontext, each=False, loads=False):
        """
        The least disturbed of a few runs. `each`: the state is entered anew for every run, as it is used up by one.
        `loads`: it keeps another CPU busy itself, which is then no sign of a disturbance.
        """
        runs = []
        with contextlib.nullcontext() if each else around():
            while len(runs) < RUNS or (len(runs) < RUNS_MAX and all(disturbed for disturbed, _, _ in runs) and not loads):
                with around() if each else contextlib.nullcontext():
                    runs.append(self._run())
        disturbed, ns, _ = min(runs)
        self.ns.setdefault(state, []).append(ns)
        self.quiet.setdefault(state, []).append(loads or not disturbed)
        self.lost[state] = self.lost.get(state, 0) + sum(lost for _, _, lost in runs)

    def skip(self, state):
        self.ns.setdefault(state, []).append(None)
        self.quiet.setdefault(state, []).append(False)

    def round(self, with_256):
        self.visit("tcpdump-match", lambda: tcpdump(self.lab, MATCHING_DUMP), loads=True)
        self.visit("tcpdump-never", lambda: tcpdump(self.lab, NEVER_DUMP), loads=True)
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
        """
        Of the rounds in which there are both, and how many of these were disturbed. Disturbed pairs are left out where
        enough others are left.
        """
        pairs = [(a / b, quiet_a and quiet_b) for a, b, quiet_a, quiet_b in
                 zip(self.ns[state], self.ns[base], self.quiet[state], self.quiet[base]) if a and b]
        quiet = [ratio for ratio, is_quiet in pairs if is_quiet]
        if len(quiet) >= PAIRS_MIN:
            return quiet, 0
        return [ratio for ratio, _ in pairs], len(pairs) - len(quiet)
