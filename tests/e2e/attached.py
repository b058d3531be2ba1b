# SPDX-License-Identifier: BSD-3-Clause
"""Says what hangs on the devices of this network namespace: python3 attached.py prints one JSON object.

tcx programs are asked for by BPF_PROG_QUERY per device, which no tool of Debian 12 shows; clsact filters through tc.
"""

import ctypes
import json
import os
import platform
import socket
import struct
import subprocess

NR_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}[platform.machine()]
BPF_PROG_QUERY = 16
TCX = {"ingress": 46, "egress": 47}


def tcx_programs(ifindex, attach_type):
    ids = (ctypes.c_uint32 * 64)()
    attr = struct.pack("=IIIIQII32x", ifindex, attach_type, 0, 0, ctypes.addressof(ids), len(ids), 0)
    buf = ctypes.create_string_buffer(attr, len(attr))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(NR_BPF, BPF_PROG_QUERY, buf, len(attr)) != 0:
        err = ctypes.get_errno()
        if err in (2, 22):  # nothing was ever attached; a kernel without tcx
            return 0
        raise OSError(err, os.strerror(err))
    return struct.unpack_from("=I", buf, 24)[0]


def tables():
    out = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return sorted(line.removeprefix("table ") for line in out.splitlines())


def main():
    found = {"tcx": [], "tc": [], "xdp": [], "tables": tables()}
    for index, name in socket.if_nameindex():
        for side, attach_type in TCX.items():
            if tcx_programs(index, attach_type):
                found["tcx"].append(f"{name} {side}")
        qdisc = subprocess.run(["tc", "qdisc", "show", "dev", name, "clsact"], capture_output=True, text=True, check=True)
        if "clsact" in qdisc.stdout:
            found["tc"].append(name)
        link = subprocess.run(["ip", "-d", "link", "show", "dev", name], capture_output=True, text=True, check=True)
        if "prog/xdp" in link.stdout:
            found["xdp"].append(name)
    print(json.dumps(found))


main()
