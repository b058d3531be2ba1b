# SPDX-License-Identifier: BSD-3-Clause
"""Real packets through two devices: they arrive whole, both ways, over both families, inside and outside."""

import signal
import time

import pytest

from device import ADDRESSES, TRAFFIC

OUTER = pytest.mark.parametrize("pair", [{"outer": 4}, {"outer": 6}], indirect=True, ids=["outer4", "outer6"])


@OUTER
@pytest.mark.parametrize("family", [0, 1], ids=["inner4", "inner6"])
def test_udp_arrives_whole(pair, family):
    """Each datagram once, each byte as sent (the sink checks them), and nothing dropped but what is no VM's."""
    sink = pair.sink("vm2", 5000, 200)
    pair.send("vm1", ADDRESSES["vm2"][family], 5000, "-c", 200, "-s", 1000)
    line = sink.expect("distinct")
    assert line == "received 200 bytes 200000 distinct 200 bad 0\n"
    assert not {"HEADER_BAD", "TX_FULL", "NO_ROUTE"} & (set(pair.drops("a")) | set(pair.drops("b")))


@OUTER
def test_tcp_and_ping(pair):
    assert "0% packet loss" in pair.sh("vm1", "ping -c 3 -i 0.2 -W 5 10.0.1.2").stdout
    assert "0% packet loss" in pair.sh("vm2", "ping -c 3 -i 0.2 -W 5 fd00:1::1").stdout
    sink = pair.process("vm2", TRAFFIC, "tcp-sink", 5001, "-c", 1, "-t", 10)
    sink.expect("ready")
    pair.sh("vm1", f"{TRAFFIC} tcp-send 10.0.1.2 5001 -s 300000")
    assert sink.expect("received") == "received 1 bytes 300000 bad 0\n"


def test_gateway_answers(pair):
    assert "0% packet loss" in pair.sh("vm1", "ping -c 2 -i 0.2 -W 5 10.0.1.254").stdout
    assert "0% packet loss" in pair.sh("vm1", "ping -c 2 -i 0.2 -W 5 fd00:1::fe").stdout


def test_ends_in_a_second(pair):
    begin = time.monotonic()
    assert pair.devices["a"].end(signal.SIGTERM)[0] == 0
    assert time.monotonic() - begin < 1
