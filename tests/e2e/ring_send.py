#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends UDP datagrams from a packet socket's ring (packet(7), PACKET_TX_RING), as virtual machines on DPDK do: such frames
are linear up to the Ethernet header only. ring_send.py DEVICE DST-MAC SRC DST PORT COUNT"""

import mmap
import socket
import struct
import sys

SOL_PACKET, PACKET_VERSION, PACKET_TX_RING, TPACKET_V2 = 263, 10, 13, 1
SEND_REQUEST = 1
FRAME, DATA = 2048, 32  # bytes of a slot; where its frame begins, behind struct tpacket2_hdr
SLOTS = 32


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def frame_of(mac, own, src, dst, port, number):
    family = socket.AF_INET6 if ":" in src else socket.AF_INET
    src, dst = socket.inet_pton(family, src), socket.inet_pton(family, dst)
    payload = struct.pack("!I", number) * 16
    length = 8 + len(payload)
    udp = struct.pack("!HHHH", 4000, port, length, 0)
    total = checksum(src + dst + struct.pack("!HH", 17, length) + udp + payload)
    udp = struct.pack("!HHHH", 4000, port, length, total or 0xFFFF)
    if family == socket.AF_INET6:
        return mac + own + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, length, 17, 64) + src + dst + udp + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, number, 0x4000, 64, 17, 0) + src + dst
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return mac + own + b"\x08\x00" + head + udp + payload


def main(device, mac, src, dst, port, count):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
    s.setsockopt(SOL_PACKET, PACKET_TX_RING, struct.pack("IIII", FRAME * SLOTS, 1, FRAME, SLOTS))
    s.bind((device, 0))
    ring = mmap.mmap(s.fileno(), FRAME * SLOTS)
    mac, own = bytes.fromhex(mac.replace(":", "")), s.getsockname()[4]
    for number in range(int(count)):
        frame, slot = frame_of(mac, own, src, dst, int(port), number), number % SLOTS * FRAME
        ring[slot + DATA : slot + DATA + len(frame)] = frame
        ring[slot + 4 : slot + 8] = struct.pack("I", len(frame))
        ring[slot : slot + 4] = struct.pack("I", SEND_REQUEST)
        s.send(b"")  # returns when the frame is out


main(*sys.argv[1:])
