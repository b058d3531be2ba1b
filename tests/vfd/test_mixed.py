# SPDX-License-Identifier: BSD-3-Clause
"""A device of DPDK on host a, the Linux kernel's bridge and VXLAN device on host b, one trace through both."""

import pytest

from device import ADDRESSES, MACS, TRAFFIC, VTRACE

SERVER = "172.30.0.254:8471"


def kernel_host(pair):
    """Makes host b a Linux vSwitch that knows vm1 behind host a, and joins it to the management network."""
    pair.sh("b", "echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6;"
            "echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null || true;"
            "ip link set lo up; ip addr add 172.31.0.2/24 dev eth0;"
            "ip link add br100 type bridge forward_delay 0 mcast_snooping 0;"
            "ip link add vx100 type vxlan id 100 local 172.31.0.2 dstport 4789 nolearning;"
            "ip link set vx100 master br100 up; ip link set vm2 master br100; ip link set br100 up;"
            f"bridge fdb append {MACS['vm1']} dev vx100 dst 172.31.0.1")
    pair.sh("vm2", f"ip neigh replace 10.0.1.1 lladdr {MACS['vm1']} nud permanent dev eth0")
    pair.sh("ctl", f"ip link add mgmt index 30 type veth peer name mgmt index 31 netns {pair.ns('b')};"
            "ip addr add 172.30.0.254/24 dev mgmt; ip link set mgmt up; ip link set lo up")
    pair.sh("b", "ip addr add 172.30.0.2/24 dev mgmt; ip link set mgmt up")


def agents_start(pair):
    pair.process("ctl", VTRACE, "server", "--data", pair.tmp / "data", "--listen", "0.0.0.0:8471", "--insecure").expect("ready:")
    pair.process("ctl", VTRACE, "agent", "--node", "a", "--datapath", f"vfd:{pair.path('a', 'vdg')}").expect("ready:")
    pair.process("b", VTRACE, "agent", "--node", "b", "--server", f"http://{SERVER}").expect("ready:")


@pytest.mark.parametrize("pair", [{"start": ("a",)}], indirect=True, ids=["kernel-b"])
def test_colour_passes_between_kinds(pair):
    """Both ways: the device colours and the kernel follows, the kernel colours and the device follows; then the kernel
    drops what the device coloured."""
    kernel_host(pair)
    agents_start(pair)
    pair.process("vm2", TRAFFIC, "udp-echo", 5000, "-t", 15).expect("ready")
    result = pair.trace("udp and src host 10.0.1.1 and dst port 5000",
                        lambda: pair.sh("vm1", f"{TRAFFIC} udp-ask {ADDRESSES['vm2'][0]} 5000 -c 20"), 20, "--bidirectional")
    assert (result["packets"]["coloured"], result["packets"]["delivered"]) == (40, 40), result
    assert result["verdict"] is None, result
    paths = {p["direction"]: [(h["node"], h["in"]["device"], h["out"]["device"]) for h in p["hops"]] for p in result["paths"]}
    assert paths == {"forward": [("a", "vm1", "eth0"), ("b", "eth0", "vm2")],
                     "reverse": [("b", "vm2", "eth0"), ("a", "eth0", "vm1")]}, paths

    pair.sh("b", "echo 'table bridge fw { chain forward { type filter hook forward priority 0; udp dport 5000 drop; }; }' | nft -f -")
    result = pair.trace("udp and src host 10.0.1.1 and dst port 5000",
                        lambda: pair.send("vm1", "10.0.1.2", 5000, "-c", 10), 10)
    cause = result["verdict"]
    assert (cause["class"], cause["code"], cause["certainty"], cause["node"], cause["packets"]) == (
        "security-policy", "policy-nft-rule", "proven", "b", 10), cause
