# SPDX-License-Identifier: BSD-3-Clause
"""Fragments are of their datagram's flow, in any order, for security groups and NAT; what is too big is cut up."""

import shlex
import sys

import pytest

from device import ADDRESSES
from test_nat import PEER, PUBLIC, move_vm2, outside

UDP = 17
TCP = 6

# Sends an IPv4 datagram whose payload is cut at the given offsets, its pieces in the given order; without DF.
SENDER = """
import socket, struct, sys
dst, proto, size, cuts, order = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), eval(sys.argv[4]), eval(sys.argv[5])
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
head = struct.pack('!HHHH', 6000, 5000, size + 8, 0) if proto == 17 else struct.pack('!HHLLHHHH', 6000, 5000, 1, 0, 0x5002, 1, 0, 0)
body = head + b'x' * size
cuts = [0] + cuts + [len(body)]
for i in order:
    a, b = cuts[i], cuts[i + 1]
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + b - a, 77, (a >> 3) | (0x2000 if b < len(body) else 0), 64, proto, 0,
                     socket.inet_aton('0.0.0.0'), socket.inet_aton(dst))
    s.sendto(ip + body[a:b], (dst, 0))
"""


def send_pieces(pair, dst, proto, size, cuts, order):
    words = " ".join(shlex.quote(str(w)) for w in (sys.executable, "-c", SENDER, dst, proto, size, cuts, order))
    pair.sh("vm1", words)


def xdp(more=None):
    """Ports by net_af_xdp: for net_af_packet the kernel puts IPv4 fragments together."""
    def change(configs):
        if more:
            more(configs)
        for config in configs.values():
            for port in config["ports"]:
                port["vdev"] = port["vdev"].replace("af_packet", "af_xdp")
    return change


def by_xdp(more, name):
    return pytest.mark.parametrize("pair", [{"change": xdp(more)}], indirect=True, ids=[name])


def groups(action):
    def change(configs):
        configs["b"]["security_groups"] = [{"name": "web", "rules": [
            {"name": "five", "direction": "in", "action": action, "proto": "udp", "ports": "5000"},
            {"name": "icmp", "direction": "in", "action": "allow", "proto": "icmp"}]}]
        configs["b"]["vpcs"][0]["vms"][0]["security_groups"] = ["web"]
    return change


def with_groups(action):
    return by_xdp(groups(action), action)


@with_groups("allow")
@pytest.mark.parametrize("with_port", [False, True], ids=["any", "port"])
@pytest.mark.parametrize("six", [0, 1], ids=["ipv4", "ipv6"])
def test_allowed(pair, six, with_port):
    """Three fragments a datagram pass a group that knows ports. With ports in the filter only the first is coloured."""
    pair.agents_start()
    src, dst = ADDRESSES["vm1"][six], ADDRESSES["vm2"][six]
    sink = pair.sink("vm2", 5000, 8)
    result = pair.trace(f"udp and src host {src} and dst host {dst}" + " and dst port 5000" * with_port,
                        lambda: pair.send("vm1", dst, 5000, "-c", 8, "-s", 4000), 8 if with_port else 24)
    assert sink.expect("received") == "received 8 bytes 32000 distinct 8 bad 0\n"
    coloured = 8 if with_port else 24
    assert (result["packets"]["coloured"], result["packets"]["delivered"]) == (coloured, coloured), result
    assert result["causes"] == [], result


@with_groups("deny")
def test_denied(pair):
    """A rule on ports denies the later fragments, too."""
    pair.agents_start()
    result = pair.trace("udp and dst host 10.0.1.2", lambda: pair.send("vm1", "10.0.1.2", 5000, "-c", 8, "-s", 4000), 24)
    assert (result["packets"]["coloured"], result["packets"]["dropped"]) == (24, 24), result
    assert [(c["code"], c["certainty"], c["node"]) for c in result["causes"]] == [("policy-group-rule", "proven", "b")]
    pair.dropped("b", "GROUP_RULE", 24)


@with_groups("allow")
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]], ids=str)
def test_any_order(pair, order):
    sink = pair.sink("vm2", 5000, 1)
    send_pieces(pair, "10.0.1.2", UDP, 3000, [1024, 2048], order)
    assert sink.expect("received").startswith("received 1 bytes 3000 "), (pair.drops("a"), pair.drops("b"))


@by_xdp(None, "plain")
def test_first_missing(pair):
    """Later fragments alone are dropped when their time is over, and this is told of them, not of somebody else."""
    pair.agents_start()
    result = pair.trace("udp and dst host 10.0.1.2", lambda: send_pieces(pair, "10.0.1.2", UDP, 3000, [1024, 2048], [1, 2]), 2)
    assert (result["packets"]["coloured"], result["packets"]["dropped"]) == (2, 2), result
    assert [(c["class"], c["code"], c["certainty"], c["node"], c["device"]) for c in result["causes"]] == [
        ("malformed", "fragment-missing", "proven", "a", "vm1")], result["causes"]
    pair.dropped("a", "FIRST_FRAGMENT_MISSING", 2)


@by_xdp(None, "plain")
def test_inside_header(pair):
    """A fragment that would write over the TCP header of the first one, behind a group's back (RFC 1858)."""
    send_pieces(pair, "10.0.1.2", TCP, 3000, [8, 1024], [1])
    assert pair.dropped("a", "FRAGMENT_INSIDE_HEADER", 1)["code"] == "header-bad"


@by_xdp(outside(ports="20000-20100"), "nat")
def test_translated(pair):
    """Fragments go through NAT: the first with its port, all with the address; and each is followed to its end."""
    move_vm2(pair)
    pair.agents_start()
    sink = pair.sink("vm2", 5000, 8)
    result = pair.trace(f"udp and dst host {PEER[0]}", lambda: pair.send("vm1", PEER[0], 5000, "-c", 8, "-s", 4000), 24)
    assert sink.expect("received") == "received 8 bytes 32000 distinct 8 bad 0\n"
    assert (result["packets"]["coloured"], result["packets"]["delivered"]) == (24, 24), result
    assert all(path["hops"][0]["nat"].startswith(PUBLIC[0]) for path in result["paths"]), result["paths"]


def mtu(host, port, value):
    def change(configs):
        configs[host]["ports"][port]["mtu"] = value
    return change


@pytest.mark.parametrize("pair", [{"change": xdp(mtu("b", 1, 1280))}, {"change": xdp(mtu("a", 0, 1300))}], indirect=True,
                         ids=["vm", "underlay"])
def test_cut_up(pair):
    """Without DF a packet gets through a link that is too small for it, the VM's or the underlay; the trace follows it."""
    pair.agents_start()
    sink = pair.sink("vm2", 5000, 1)
    result = pair.trace("udp and dst host 10.0.1.2", lambda: send_pieces(pair, "10.0.1.2", UDP, 1400, [], [0]), 1)
    assert sink.expect("received").startswith("received 1 bytes 1400 "), (pair.drops("a"), pair.drops("b"))
    assert (result["packets"]["coloured"], result["packets"]["delivered"], result["causes"]) == (1, 1, []), result
    assert "IpReasmOKs                      1 " in pair.sh("vm2", "nstat -asz IpReasmOKs").stdout


def test_af_packet(pair):
    """Where the kernel puts fragments together, what is not too big for the driver is cut up again; the rest is told as
    that, and not as somebody's fault."""
    sink = pair.sink("vm2", 5000, 3)
    pair.send("vm1", "10.0.1.2", 5000, "-c", 3, "-s", 1800)
    assert sink.expect("received") == "received 3 bytes 5400 distinct 3 bad 0\n"
    pair.send("vm1", "10.0.1.2", 5000, "-c", 3, "-s", 4000)
    assert pair.dropped("a", "PACKET_CUT_SHORT", 3)["code"] == "unexplained"
