# SPDX-License-Identifier: BSD-3-Clause
"""Sends UDP frames, each another flow: flood.py DEVICE DST_MAC SRC_MAC SRC DST DPORT COUNT. Checksums of UDP are left out."""

import socket
import struct
import sys


def checksum(head):
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def main():
    device, dst_mac, src_mac, src, dst, dport, count = sys.argv[1:]
    ether = bytes.fromhex((dst_mac + src_mac).replace(":", "")) + b"\x08\x00"
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 46, 0, 0, 64, 17, 0, socket.inet_aton(src), socket.inet_aton(dst))
    head = ether + ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((device, 0))
    for i in range(int(count)):
        sock.send(head + struct.pack("!HHHH", 1 + i % 65535, int(dport) + i // 65535, 26, 0) + bytes(18))
    print(f"sent {count}", flush=True)


main()
