# SPDX-License-Identifier: BSD-3-Clause
"""The half of the evaluation that is about vtrace-vfd: bench-vfd, told what to measure."""

import subprocess

BURST = 32  # packets of a worker's turn
STEP = 256  # of a step of bench-vfd
FLOWS = 65536
SPEND_MAX = 20
PAIRS = 2  # a round: they take less than a tenth of what the other side takes
DISTURBED = "bench-vfd was disturbed all the time: the machine is too busy to measure anything"
SETTINGS = {"idle": (0, "none"), "zero": (10, "zero"), "match": (10, "match")}  # tasks of each


class Device:
    """bench-vfd, with a flow cache of `cache` entries (None: the default)."""

    def __init__(self, build, cpu, cache=None):
        argv = [f"{build}/bench/bench-vfd", str(cpu)] + ([str(cache)] if cache else [])
        self.popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        word, hz, tasks = self._answer()
        if word != "ready":
            raise RuntimeError(f"bench-vfd said {word!r}")
        self.hz, self.tasks_max = int(hz), int(tasks)
        self.flows = 1

    def _answer(self):
        line = self.popen.stdout.readline()
        if not line:
            raise RuntimeError("bench-vfd has ended")
        return line.split()

    def ask(self, command):
        print(command, file=self.popen.stdin, flush=True)
        return [int(word) for word in self._answer()]

    def close(self):
        self.popen.stdin.close()
        self.popen.wait(20)

    def send(self, flows):
        self.ask(f"flows {flows}")
        self.flows = flows
        for _ in range(20):  # until all are in the cache: a port may not begin them all at once
            if not self.warm():
                return

    def warm(self):
        """Every flow sends twice; how many packets were lost."""
        return self.ask(f"run traced {2 * self.flows // STEP + 20}")[3]

    def tasks(self, number, kind):
        """Installs tasks while packets flow; {ns until all colour, packets sent, lost, overtaken}."""
        answer = dict(zip(("ns", "sent", "lost", "overtaken"), self.ask(f"tasks {number} {kind}")))
        self.warm()
        return answer

    def run(self, steps, code="traced"):
        """ns: of CPU a packet; mpps: of the first VM, in the device's time."""
        median, passed, cycles, lost, lost2 = self.ask(f"run {code} {steps}")
        if not median:
            raise RuntimeError(DISTURBED)
        return {"ns": median / BURST / self.hz * 1e9, "mpps": passed / max(cycles, 1) * self.hz / 1e6, "lost": lost, "lost2": lost2}

    def pair(self, steps):
        """ns of CPU a packet, with VTrace and without, of turns that alternate."""
        medians = self.ask(f"pair {steps}")
        if not all(medians):
            raise RuntimeError(DISTURBED)
        return [median / BURST / self.hz * 1e9 for median in medians]


class Rounds:
    """ns[setting] and ratio[setting], to the forwarding code without VTrace, have values of each round."""

    def __init__(self, device, steps):
        self.device, self.steps = device, steps
        self.ns = {name: [] for name in ("without", *SETTINGS, "dump")}
        self.ratio = {name: [] for name in (*SETTINGS, "dump")}
        self.arming = []
        device.send(FLOWS)

    def _add(self, name, ns, base):
        self.ns[name].append(ns)
        self.ratio[name].append(ns / base)

    def round(self):
        for name, wanted in SETTINGS.items():
            self.arming.append(self.device.tasks(*wanted))
            for _ in range(PAIRS):
                ns, without = self.device.pair(self.steps)
                self._add(name, ns, without)
                if name == "idle":
                    self.ns["without"].append(without)
        self.device.tasks(0, "none")
        self.device.ask("dump on")
        dump = self.device.run(self.steps)["ns"]
        self.device.ask("dump off")
        self._add("dump", dump, self.device.run(self.steps)["ns"])


def sweep_tasks(device, numbers, rounds, steps):
    """{number: (ratios to the code without VTrace, ns a packet, ms to arm all)}"""
    result = {}
    for number in (n for n in numbers if n <= device.tasks_max):
        armed = device.tasks(number, "zero")["ns"] / 1e6
        pairs = [device.pair(steps) for _ in range(rounds)]
        result[number] = {"ratio": [a / b for a, b in pairs], "ns": [a for a, _ in pairs], "arm_ms": armed}
    device.tasks(0, "none")
    return result


def sweep_flows(device, numbers, rounds, steps):
    """{number: ns a packet}, and beside it the same with ten tasks that match nothing."""
    result = {}
    for number in numbers:
        device.send(number)
        row = {"ns": [], "without_ns": [], "lost": device.warm()}
        for _ in range(rounds):
            ns, without = device.pair(max(steps, number // STEP))
            row["ns"].append(ns)
            row["without_ns"].append(without)
        result[number] = row
    device.send(FLOWS)
    return result


def attack(device, rounds, steps):
    """Mpps of the first VM's flows: alone, beside a VM that sends as much, beside one that begins a flow a packet."""
    result = {"alone": [], "beside": [], "attacked": []}
    for _ in range(rounds):
        for name, second in (("alone", "0"), ("beside", "1000"), ("attacked", "random")):
            device.ask(f"second {second}")
            for _ in range(SPEND_MAX if name == "attacked" else 0):  # what the port may begin at once is no steady state
                if device.run(steps)["lost2"]:
                    break
            result[name].append(device.run(steps)["mpps"])
    device.ask("second 0")
    return result
