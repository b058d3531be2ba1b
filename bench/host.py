# SPDX-License-Identifier: BSD-3-Clause
"""The half of the evaluation that is about the Linux kernel: bench-path in a lab, in the settings of the paper."""

import contextlib

import forwarding
from client import Client
from lab import SERVER, System

TASKS_MAX = 256  # VT_TASKS_MAX
SETTLED = 12  # runs of 1000 packets over ten flows: more than the 100 packets that each task colours


@contextlib.contextmanager
def spent(client, path):
    """Ten tasks that match all packets, whose 100 packets each have gone through."""
    with forwarding.matching(client):
        for _ in range(SETTLED):
            path.run(1000)
        yield


@contextlib.contextmanager
def agents(lab):
    """A server and agents run; a client of theirs."""
    system = System(lab)
    client = Client(lab, SERVER)
    try:
        yield client
    finally:
        client.close()
        system.stop()


class Rounds(forwarding.Rounds):
    """A round over the paper's settings: nothing, agent, ten, ten-spent, tcpdump-match."""

    def round(self, _=False):
        self.visit("tcpdump-match", lambda: forwarding.tcpdump(self.lab, forwarding.MATCHING_DUMP), loads=True)
        self.visit("nothing")
        with agents(self.lab) as client:
            self.visit("agent")
            self.visit("ten", lambda: forwarding.tasks(client, forwarding.one_shape(10)))
            self.visit("ten-spent", lambda: spent(client, self.path))


def sweep_tasks(client, path, frames, numbers, rounds):
    """{number: (ratios to no task, ns a packet)}"""
    result = {n: {"ratio": [], "ns": []} for n in numbers if n <= TASKS_MAX}
    for _ in range(rounds):
        for number, row in result.items():
            base = min(path.run(frames)[0] for _ in range(forwarding.RUNS))
            with forwarding.tasks(client, forwarding.one_shape(number)):
                ns = min(path.run(frames)[0] for _ in range(forwarding.RUNS))
            row["ns"].append(ns)
            row["ratio"].append(ns / base)
    return result
