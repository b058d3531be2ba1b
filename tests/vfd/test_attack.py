# SPDX-License-Identifier: BSD-3-Clause
"""A VM that begins flows without end: the device's memory is bounded, flows that run go on, and the drops say why."""

import pathlib

import pytest

from device import MACS, TRAFFIC

FLOOD = pathlib.Path(__file__).with_name("flood.py")
LIMIT = 1000  # new flows a second; a quarter of it at once
CACHE = 1024


def small(configs):
    configs["a"].update(flows=CACHE, new_flows=LIMIT)


def flood(pair, dport, count):
    return pair.process("vm1", "/usr/bin/python3", FLOOD, "eth0", MACS["vm2"], MACS["vm1"], "10.0.1.1", "10.0.1.2", dport, count)


@pytest.mark.parametrize("pair", [{"change": small}], indirect=True, ids=["small"])
def test_flood_of_flows(pair):
    """What the port begins beyond its budget is dropped; a flow of the other port, and one of the same, go on."""
    pair.process("vm1", TRAFFIC, "udp-echo", 5000, "-t", 15).expect("ready")
    pair.process("vm2", TRAFFIC, "udp-echo", 5000, "-t", 15).expect("ready")
    pair.sh("vm1", f"{TRAFFIC} udp-ask 10.0.1.2 5000 -c 1 -p 6000")
    attack = flood(pair, 7000, 60000)
    said = [pair.process(vm, TRAFFIC, "udp-ask", address, 5000, "-c", 200, "-p", 6000, "-t", 15)
            for vm, address in (("vm2", "10.0.1.1"), ("vm1", "10.0.1.2"))]
    for asker in said:  # a ring may overflow where the device is late; half of the packets get through at worst
        assert int(asker.expect("sent 200").split()[-1]) >= 100, (asker.lines, pair.drops("a"))
    attack.expect("sent 60000")
    row = pair.drops("a")["SLOW_PATH_BUSY"]
    assert (row["code"], row["site"]) == ("queue-full", "admit_flow")
    assert row["evidence"] == f"more than {LIMIT} new flows a second at port vm1, the limit (new_flows)"
    assert row["packets"] > 20000, row


def tiny(configs):
    configs["a"].update(flows=CACHE)


@pytest.mark.parametrize("pair", [{"change": tiny}], indirect=True, ids=["tiny"])
def test_busy_flow_stays(pair):
    """Eight times more flows than the cache has room for come by; the entry of one that sends now and then goes on counting."""
    pair.process("vm2", TRAFFIC, "udp-echo", 5000, "-t", 15).expect("ready")
    for i in range(20):
        flood(pair, 7000 + i, 400).expect("sent 400")  # what a port's ring holds, however late the device is
        assert "answered 1" in pair.sh("vm1", f"{TRAFFIC} udp-ask 10.0.1.2 5000 -c 1 -p 6000 -t 5").stdout
    flows = pair.show("a", "flows")
    assert [f["packets"] for f in flows if (f["sport"], f["dport"]) == (6000, 5000)] == [20]
    assert "SLOW_PATH_BUSY" not in pair.drops("a")


@pytest.mark.parametrize("pair", [{"change": small}], indirect=True, ids=["small"])
def test_trace_says_why(pair):
    pair.agents_start()
    result = pair.trace("udp and src host 10.0.1.1 and dst port 7000", lambda: flood(pair, 7000, 4000).expect("sent 4000"), 2000)
    cause = next(c for c in result["causes"] if c["reason"] == "SLOW_PATH_BUSY")  # a ring may have been full as well
    assert (cause["class"], cause["code"], cause["certainty"], cause["node"], cause["device"]) == (
        "host-resource", "queue-full", "proven", "a", "vm1"), cause
    assert cause["packets"] > 500, cause
    assert cause["evidence"] == f"more than {LIMIT} new flows a second at port vm1, the limit (new_flows)"
