# SPDX-License-Identifier: BSD-3-Clause
"""Times that a user waits for: arming, and the verdict; and what server and agents cost while tasks are idle."""

import os
import pathlib
import subprocess
import threading
import time

from client import Client, inside, udp_socket
from lab import SERVER, vtrace_path

SETTLE_S = 0.15  # after a trace: agents detach, so that the next one starts from nothing attached
PACKETS = 100  # of each verdict's flow
NEVER = "udp and src host 10.0.1.1 and dst host 10.0.1.2 and dst port {}"  # a flow that nobody sends


def all_armed(client, trace):
    """False where the server gave a node up after its second; such a trace runs on without the node."""
    return client.result(trace)["nodes"]["armed"] == 3


def arming(client, n):
    """From before POST until the server says `tracing`, in ms; and how many traces went on without a node."""
    times, late = [], 0
    for i in range(n):
        start = time.perf_counter()
        trace = client.add(NEVER.format(20000 + i))
        times.append((time.perf_counter() - start) * 1e3)
        late += not all_armed(client, trace)
        client.cancel(trace)
        time.sleep(SETTLE_S)
    return times, late


def arming_cli(lab, client, n):
    """The same as one run of `vtrace add`, from starting the process until its end, in ms."""
    env = {**os.environ, "VTRACE_SERVER": SERVER}
    times = []
    with inside(lab, "ctl"):
        for i in range(n):
            start = time.perf_counter()
            done = subprocess.run([vtrace_path(), "add", NEVER.format(30000 + i)], env=env, text=True, capture_output=True,
                                  check=True)
            times.append((time.perf_counter() - start) * 1e3)
            client.cancel(done.stdout.strip())
            time.sleep(SETTLE_S)
    return times


def armed_trace(client, flt):
    """A trace that all nodes take part in; a verdict's time says nothing where one is missing."""
    for _ in range(10):
        trace = client.add(flt, PACKETS)
        if all_armed(client, trace):
            return trace
        client.cancel(trace)
        time.sleep(SETTLE_S)
    raise RuntimeError("verdict: ten times in turn, a node did not arm within a second")


class Waiter(threading.Thread):
    """A second connection, waiting for the result when the packets are sent, as `vtrace add --wait` does."""

    def __init__(self, client, trace):
        super().__init__()
        self.client, self.trace, self.body, self.at = client, trace, None, None
        self.start()

    def run(self):
        self.body = self.client.result(self.trace, wait=30)
        self.at = time.perf_counter()


def verdict(lab, client, n, port, end, code):
    """From the last packet's send() until the certain result is here, in ms. The result must be the right one."""
    second = Client(lab, SERVER, timeout=60)
    sender, receiver = udp_socket(lab, "vm1", 4000), udp_socket(lab, "vm2", port)
    times = []
    for i in range(n):
        trace = armed_trace(client, f"udp and src host 10.0.1.1 and dst host 10.0.1.2 and dst port {port}")
        waiter = Waiter(second, trace)
        for packet in range(PACKETS):
            sender.sendto(b"%08d %08d bench" % (i, packet), ("10.0.1.2", port))
        start = time.perf_counter()
        waiter.join()
        result = waiter.body
        found = result["verdict"]["code"] if result["verdict"] else None
        if result["state"] != "done" or result["packets"][end] != PACKETS or found != code:
            raise RuntimeError(f"verdict: {result['state']}, {result['packets']}, {found}; wanted {PACKETS} {end}, {code}")
        times.append((waiter.at - start) * 1e3)
        time.sleep(SETTLE_S)
    for thing in (sender, receiver, second):
        thing.close()
    return times


def _cpu_ns(pid):
    """CPU time of all threads of a process."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


def _rss_peak_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError(f"process {pid} has no VmHWM")


def idle(system, seconds):
    """{process: (CPU in %, peak RSS in MiB)} over a while in which no packet matches."""
    pids = {"server": system.server.pid, **{f"agent {node}": p.pid for node, p in system.agents.items()}}
    before = {name: _cpu_ns(pid) for name, pid in pids.items()}
    start = time.perf_counter()
    time.sleep(seconds)
    elapsed = time.perf_counter() - start
    return {name: ((_cpu_ns(pid) - before[name]) / elapsed / 1e7, _rss_peak_kib(pid) / 1024) for name, pid in pids.items()}
