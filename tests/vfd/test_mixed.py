# SPDX-License-Identifier: BSD-3-Clause
"""A device of DPDK on host a, the Linux kernel's bridge and VXLAN device on host b: they find each other's VMs, and one trace goes
through both."""

import pytest

from device import ADDRESSES, GATEWAY, MACS, TRAFFIC, VTRACE, wait_for

SERVER = "172.30.0.254:8471"


def kernel_host(pair):
    """Makes host b a Linux vSwitch that floods to host a, and joins it to the management network."""
    pair.sh("b", "echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6;"
            "echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null || true;"
            "ip link set lo up; ip addr add 172.31.0.2/24 dev eth0;"
            "ip link add br100 type bridge forward_delay 0 mcast_snooping 0;"
            "ip link add vx100 type vxlan id 100 local 172.31.0.2 dstport 4789 nolearning;"
            "ip link set vx100 master br100 up; ip link set vm2 master br100; ip link set br100 up;"
            f"for mac in {MACS['vm1']} {GATEWAY} 00:00:00:00:00:00; do bridge fdb append $mac dev vx100 dst 172.31.0.1; done")
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


def neighbour(pair, address):
    """What vm2 knows of it: "lladdr 02:…" or FAILED."""
    return pair.sh("vm2", f"ip neigh show {address} dev eth0").stdout.strip()


@pytest.mark.parametrize("pair", [{"start": ("a",)}], indirect=True, ids=["kernel-b"])
def test_questions_by_the_tunnel(pair):
    """vm2's host floods ARP and discovery into the tunnel: the device answers for its VM and its gateway, and for nobody else."""
    kernel_host(pair)
    for address, mac in (("10.0.1.1", MACS["vm1"]), ("fd00:1::1", MACS["vm1"]), ("10.0.1.254", GATEWAY), ("fd00:1::fe", GATEWAY)):
        assert " 0% packet loss" in pair.sh("vm2", f"ping -c 1 -W 5 {address}", check=False).stdout, pair.drops("a")
        assert f"lladdr {mac} " in neighbour(pair, address)
    for address in "10.0.1.77", "fd00:1::77":
        pair.sh("vm2", f"ping -c 1 -W 1 {address}", check=False)
        wait_for(f"nobody to have {address}", lambda address=address: "FAILED" in neighbour(pair, address))


def elsewhere(configs):
    for remote in configs["a"]["vpcs"][0]["remotes"]:
        remote["vtep"] = "172.31.0.9"


@pytest.mark.parametrize("pair", [{"start": ("a",), "change": elsewhere}], indirect=True, ids=["kernel-b"])
def test_strangers_are_not_answered(pair):
    """A tunnel end behind which the VPC has nobody asks in vain, and takes no place in the table of remote ends."""
    kernel_host(pair)
    pair.sh("vm2", "ping -c 1 -W 1 10.0.1.1", check=False)
    wait_for("no answer", lambda: "FAILED" in neighbour(pair, "10.0.1.1"))
