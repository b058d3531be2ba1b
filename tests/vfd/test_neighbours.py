# SPDX-License-Identifier: BSD-3-Clause
"""Remote ends on the underlay: neighbours of the configuration, the way over a gateway, packets that wait for an answer; and what
VMs tell of themselves."""

import pytest

from device import ADDRESSES, MACS

FLOW = "udp and src host 10.0.1.1 and dst host 10.0.1.2 and dst port 5000"


def through_gateway(configs):
    """Each device is in a net of its own; the way to the other leads over a gateway, whose MAC is the other's."""
    for host, number, other in ("a", 1, "b"), ("b", 2, "a"):
        config = configs[host]
        config["vtep"] |= {"addresses": [f"172.31.{number}.1/24"], "gateway": f"172.31.{number}.254",
                           "neighbours": [{"address": f"172.31.{number}.254", "mac": MACS[other]}]}
        for remote in config["vpcs"][0]["remotes"]:
            remote["vtep"] = f"172.31.{3 - number}.1"


def gateway_asked_for(configs):
    through_gateway(configs)
    del configs["a"]["vtep"]["neighbours"]


def asked_on_the_wire(pair):
    """ARP questions that have come to host b; counted before the device takes them."""
    said = pair.sh("b", "nft list chain netdev count in").stdout
    return int(said.split("packets ")[1].split()[0])


def count_questions(pair):
    pair.sh("b", "nft 'table netdev count { chain in { type filter hook ingress device eth0 priority 0; ether type arp counter; }; }'")


@pytest.mark.parametrize("pair", [{"change": through_gateway}], indirect=True, ids=["static"])
def test_gateway_with_static_neighbours(pair):
    """Over the gateway, whose MAC is in the configuration: delivered, and nobody has been asked for anything."""
    pair.agents_start()
    count_questions(pair)
    sink = pair.sink("vm2", 5000, 20)
    result = pair.trace(FLOW, lambda: pair.send("vm1", "10.0.1.2", 5000, "-c", 20), 20)
    assert sink.expect("received").startswith("received 20 ")
    assert result["packets"]["delivered"] == 20 and result["verdict"] is None, result
    assert result["paths"][0]["hops"][0]["out"]["outer_dst"] == "172.31.2.1"
    assert asked_on_the_wire(pair) == 0


@pytest.mark.parametrize("pair", [{"change": gateway_asked_for}], indirect=True, ids=["asked"])
def test_gateway_is_asked_for(pair):
    """Nobody has the gateway's address: it is the gateway that is asked for, and told as silent."""
    pair.agents_start()
    count_questions(pair)
    result = pair.trace(FLOW, lambda: pair.send("vm1", "10.0.1.2", 5000, "-c", 5), 5)
    cause = result["verdict"]
    assert (cause["code"], cause["node"], cause["device"], cause["packets"], cause["certainty"]) == (
        "vtep-neighbour-failed", "a", "eth0", 5, "proven"), result
    assert cause["evidence"] == "172.31.1.254 did not answer 3 questions for its MAC on port eth0"
    assert asked_on_the_wire(pair) >= 3


def nobody(configs):
    for remote in configs["a"]["vpcs"][0]["remotes"]:
        remote["vtep"] = "172.31.0.77"


@pytest.mark.parametrize("pair", [{"change": nobody}], indirect=True, ids=["dead"])
def test_park_longer_than_the_trace(pair):
    """The packets still wait when the trace's second is over: their end, three seconds later, is what is told."""
    pair.agents_start()
    result = pair.trace(FLOW, lambda: pair.send("vm1", "10.0.1.2", 5000, "-c", 5), 100, "--time", 1)
    assert (result["packets"]["coloured"], result["packets"]["dropped"]) == (5, 5), result
    assert [cause["code"] for cause in result["causes"]] == ["vtep-neighbour-failed"], result


@pytest.mark.parametrize("pair", [{"change": nobody}], indirect=True, ids=["dead"])
def test_park_and_cancel(pair):
    """The trace is cancelled while its packets wait: it blames nobody, and neither does another one that still runs."""
    pair.agents_start()
    pair.sh("vm1", "ping -c 1 -W 1 10.0.1.254")
    other = pair.vtrace("add", "udp and dst port 5001", "--count", 5, "--time", 6).strip()
    task = pair.vtrace("add", FLOW, "--count", 5, "--time", 15).strip()
    pair.send("vm1", "10.0.1.2", 5000, "-c", 5)
    pair.vtrace("cancel", task)
    assert "NEIGHBOUR_FAILED" not in pair.drops("a"), "the packets were to wait still"
    pair.dropped("a", "NEIGHBOUR_FAILED", 5)
    result = pair.result(task)
    assert result["state"] == "cancelled" and result["causes"] == [], result
    result = pair.result(other, status=3)
    assert result["packets"]["coloured"] == 0 and result["causes"] == [], result


def frame_sender(frame):
    return f"python3 -c 'import socket as s; s.socket(s.AF_PACKET, s.SOCK_RAW).sendto(bytes.fromhex(\"{frame}\"), (\"eth0\", 0))'"


def test_announcements_are_no_loss(pair):
    """A VM's gratuitous ARP and its unsolicited advertisement are taken, and are not told as drops."""
    mac, address = MACS["vm1"].replace(":", ""), "".join(f"{int(b):02x}" for b in ADDRESSES["vm1"][0].split("."))
    own6 = "fd000001" + "0" * 23 + "1"
    arp = f"ffffffffffff{mac}0806000108000604000" + f"1{mac}{address}000000000000{address}"
    advert = f"333300000001{mac}86dd6000000000203aff{own6}ff02" + "0" * 27 + f"18800000020000000{own6}0201{mac}"
    assert len(bytes.fromhex(arp)) == 42 and len(bytes.fromhex(advert)) == 86
    pair.sh("vm1", "echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; ping -c 1 -W 5 10.0.1.254")  # no frames of its own besides
    before = pair.drops("a").get("MULTICAST")
    for frame in arp, advert:
        pair.sh("vm1", frame_sender(frame))
    pair.sh("vm1", "ping -c 1 -W 5 10.0.1.254")  # comes behind them
    assert pair.drops("a").get("MULTICAST") == before
