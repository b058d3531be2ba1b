# SPDX-License-Identifier: BSD-3-Clause
"""Some thousand broken frames into both kinds of port: the device lives, each frame has one end that is counted, and it forwards
afterwards."""

import random
import socket
import struct

import pytest

from device import MACS, command, wait_for

FRAMES = 3000  # into each port
SEED = 1
BURST = 100  # frames between two looks at what the device took: its socket's ring holds 512


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(src, dst, proto, body):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0x4000, 64, proto, 0, socket.inet_aton(src), socket.inet_aton(dst))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + body


def ipv6(src, dst, proto, body):
    return struct.pack(">IHBB", 6 << 28, len(body), proto, 64) + socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(
        socket.AF_INET6, dst) + body


def udp(port, body):
    return struct.pack(">HHHH", 4000, port, 8 + len(body), 0) + body


def frame(dst, src, kind, body):
    return mac(dst) + mac(src) + struct.pack(">H", kind) + body


def seeds_of_vm():
    """Right frames of vm1, of every kind that a device takes apart."""
    to, me = MACS["vm2"], MACS["vm1"]
    tcp = struct.pack(">HHIIBBHHH", 4000, 80, 1, 0, 0x50, 2, 1000, 0, 0)
    options = struct.pack(">BBBB", 17, 0, 1, 4) + bytes(4)
    return [
        frame(to, me, 0x800, ipv4("10.0.1.1", "10.0.1.2", 17, udp(5000, b"x" * 64))),
        frame(to, me, 0x800, ipv4("10.0.1.1", "10.0.1.2", 6, tcp)),
        frame(to, me, 0x800, ipv4("10.0.1.1", "10.0.1.254", 1, struct.pack(">BBHHH", 8, 0, 0, 1, 1) + b"x" * 32)),
        frame(to, me, 0x86dd, ipv6("fd00:1::1", "fd00:1::2", 17, udp(5000, b"x" * 64))),
        frame(to, me, 0x86dd, ipv6("fd00:1::1", "fd00:1::2", 60, options + udp(5000, b"x" * 64))),
        frame("ff:ff:ff:ff:ff:ff", me, 0x806, struct.pack(">HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, mac(me), socket.inet_aton("10.0.1.1"),
                                                          bytes(6), socket.inet_aton("10.0.1.2"))),
        frame("33:33:ff:00:00:02", me, 0x86dd, ipv6("fd00:1::1", "ff02::1:ff00:2", 58, struct.pack(">BBHI", 135, 0, 0, 0)
                                                    + socket.inet_pton(socket.AF_INET6, "fd00:1::2") + b"\1\1" + mac(me))),
    ]


def seeds_of_underlay():
    """The same as device b sends them to device a: for vm1, in the tunnel."""
    inner = [frame(MACS["vm1"], MACS["vm2"], 0x800, ipv4("10.0.1.2", "10.0.1.1", 17, udp(5000, b"x" * 64))),
             frame(MACS["vm1"], MACS["vm2"], 0x86dd, ipv6("fd00:1::2", "fd00:1::1", 17, udp(5000, b"x" * 64)))]
    vxlan = struct.pack(">II", 0x08000000, 100 << 8)
    arp = struct.pack(">HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, mac(MACS["b"]), socket.inet_aton("172.31.0.2"), bytes(6),
                      socket.inet_aton("172.31.0.1"))
    outer = [frame(MACS["a"], MACS["b"], 0x800, ipv4("172.31.0.2", "172.31.0.1", 17,
                                                      struct.pack(">HHHH", 50000, 4789, 16 + len(i), 0) + vxlan + i)) for i in inner]
    return outer + [frame(MACS["a"], MACS["b"], 0x806, arp)]


def mutate(rng, data):
    """A few of: bits turned over, a byte with an edge's value, bytes cut out, the end cut off or made longer."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        kind = rng.randrange(5)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice((0, 1, 0x7f, 0x80, 0xff))
        elif kind == 2:
            del data[at:at + rng.randint(1, 8)]
        elif kind == 3:
            del data[max(at, 14):]
        else:
            data += rng.randbytes(rng.randint(1, 64))
        if len(data) < 14:
            data += bytes(14 - len(data))  # what is shorter never leaves a network card
    return bytes(data[:1400])


SENDER = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
for line in sys.stdin:
    wire.send(bytes.fromhex(line))
"""


def count(pair, host, field, port=None):
    return sum(p[field] for p in pair.show(host, "ports") if port in (None, p["name"]))


def inject(pair, node, host, port, frames):
    """Sends them from the other end of the port's veth, no faster than the device takes them."""
    for at in range(0, len(frames), BURST):
        burst = frames[at:at + BURST]
        before = count(pair, host, "rx", port)
        command("ip", "netns", "exec", pair.ns(node), "/usr/bin/python3", "-c", SENDER, input="".join(f.hex() + "\n" for f in burst))
        wait_for(f"frames {at} to {at + len(burst)} at {port}", lambda: count(pair, host, "rx", port) - before >= len(burst))


def ends(pair, host):
    """Frames that are in the device's care, and those whose end it has counted."""
    ports = pair.show(host, "ports")
    dropped = sum(d["packets"] for d in pair.show(host, "drops"))
    return (sum(p["rx"] + p["made"] for p in ports), sum(p["tx"] + p["own"] for p in ports) + dropped)


def neighbours(configs):
    """Fixed, as the frames claim to be of device b with other MACs, too. By af_xdp: before af_packet the kernel keeps
    IPv4 fragments, and frames whose VLAN tag is cut short."""
    for port in configs["a"]["ports"]:
        port["vdev"] = f"net_af_xdp{0 if port['kind'] == 'underlay' else 1},iface={port['name']}"
    for host, other in ("a", "b"), ("b", "a"):
        address = configs[other]["vtep"]["addresses"][0].split("/")[0]
        configs[host]["vtep"]["neighbours"] = [{"address": address, "mac": MACS[other]}]


@pytest.mark.parametrize("pair", [{"change": neighbours}], indirect=True, ids=[f"seed{SEED}"])
def test_every_frame_has_an_end(pair):
    rng = random.Random(SEED)
    for node, port, seeds in ("vm1", "vm1", seeds_of_vm()), ("b", "eth0", seeds_of_underlay()):
        inject(pair, node, "a", port, [mutate(rng, rng.choice(seeds)) for _ in range(FRAMES)])
    for host in "a", "b":
        wait_for(f"an end of each frame at {host}: {ends(pair, host)}", lambda: len(set(ends(pair, host))) == 1)
    reasons = pair.drops("a")
    assert {"HEADER_BAD", "ETHERTYPE", "NOT_FOR_TUNNEL", "VNI_UNKNOWN", "SOURCE_MAC", "SOURCE_ADDRESS", "WRONG_MAC"} <= set(reasons)
    assert sum(row["packets"] for row in reasons.values()) > FRAMES, reasons
    sink = pair.sink("vm2", 5001, 50)
    pair.send("vm1", "10.0.1.2", 5001, "-c", 50)
    assert sink.expect("distinct") == "received 50 bytes 3200 distinct 50 bad 0\n"
    assert " 0% packet loss" in pair.sh("vm1", "ping -c 2 -i 0.2 -W 5 10.0.1.254").stdout
