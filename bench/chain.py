#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Three devices in a chain (tests/vfd/chain.py): the highest rate that loses nothing, and the CPU they use when idle.

bench/chain.py [--driver af_xdp|af_packet] [--seconds S] [RATE…]     packets a second, each tried three times; needs root
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "vfd"))
sys.dont_write_bytecode = True

from chain import DRIVERS, Chain  # noqa: E402
from device import TRAFFIC, wait_for  # noqa: E402

RATES = (10000, 20000, 30000, 40000, 50000, 60000, 70000, 80000)
REPEATS = 3


def arrived(chain):
    return int(chain.sh("vm2", "cat /sys/class/net/eth0/statistics/rx_packets"))


def still(chain):
    """What has arrived once nothing more comes."""
    seen = [-1, arrived(chain)]

    def same():
        seen[:] = [seen[1], arrived(chain)]
        return seen[0] == seen[1]
    wait_for("the last packet", same)
    return seen[1]


def attempt(chain, rate, seconds):
    """Packets sent, lost, the rate that was really sent, and the devices' share of a CPU, each."""
    count = int(rate * seconds)
    before, cpu, start = still(chain), chain.cpu_s(), time.monotonic()
    argv = ["ip", "netns", "exec", chain.ns("vm1"), TRAFFIC, "udp-send", "10.0.1.2", "5000", "-c", count, "-r", rate, "-s", 64]
    subprocess.run([str(a) for a in argv], check=True, stdout=subprocess.DEVNULL)
    took = time.monotonic() - start
    used = [(b - a) / took for a, b in zip(cpu, chain.cpu_s())]
    return count, count - (still(chain) - before), count / took, used


def idle(chain, seconds):
    cpu = chain.cpu_s()
    time.sleep(seconds)  # what is measured is that nothing happens
    return [(b - a) / seconds for a, b in zip(cpu, chain.cpu_s())]


def shares(used):
    return " ".join(f"{u:4.2f}" for u in used)


def run(driver, rates, seconds):
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(pathlib.Path(folder), driver)
        try:
            chain.up()
            chain.sh("vm2", "ip addr flush dev eth0")  # nobody who would answer
            print(f"{driver}: idle, CPU of each device: {shares(idle(chain, seconds))}")
            for rate in rates:
                for _ in range(REPEATS):
                    count, lost, real, used = attempt(chain, rate, seconds)
                    print(f"{driver}: {rate:6} packets/s asked, {real:8.0f} sent, lost {lost:6} of {count}, CPU {shares(used)}", flush=True)
            for number, (rx, tx, drops) in enumerate(chain.counters()):
                print(f"{driver}: device {number}: received {rx}, sent {tx}, dropped {drops}")
        finally:
            chain.down()


def main():
    parser = argparse.ArgumentParser(prog="bench/chain.py", description=__doc__.splitlines()[0])
    parser.add_argument("--driver", choices=list(DRIVERS), action="append")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("rates", metavar="RATE", type=int, nargs="*", default=RATES)
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench: needs root for network namespaces: run it with sudo")
    for driver in args.driver or DRIVERS:
        run(driver, args.rates, args.seconds)


main()
