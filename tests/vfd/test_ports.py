# SPDX-License-Identifier: BSD-3-Clause
"""Ports of every kind that DPDK has for a machine without its network cards: real packets through each, both ways."""

import json
import os
import pathlib
import tempfile

import pytest

from chain import DRIVERS, LENGTH, Chain
from device import ADDRESSES, MACS, TRAFFIC, VFD, VMS, command, wait_for

MEMIF = pathlib.Path(tempfile.gettempdir(), f"vfd{os.getpid()}.memif")  # an abstract socket is one of a namespace


def vdevs(**words):
    """Other ports than af_packet: words by "underlay" or "vm", in which the names below are filled in."""
    def change(configs):
        for host, config in configs.items():
            for port in config["ports"]:
                if port["kind"] in words:
                    port["vdev"] = words[port["kind"]].format(
                        vm=VMS[host], role="server" if host == "a" else "client", memif=MEMIF)
    return change


def whole(pair, count=200):
    """Ping both ways, and each datagram once, each byte as sent."""
    for vm, other in ("vm1", "vm2"), ("vm2", "vm1"):
        for address in ADDRESSES[other]:
            assert " 0% packet loss" in pair.sh(vm, f"ping -c 2 -i 0.2 -W 5 {address}").stdout
    sink = pair.sink("vm2", 5000, count)
    pair.send("vm1", ADDRESSES["vm2"][0], 5000, "-c", count, "-s", 1000)
    assert sink.expect("distinct") == f"received {count} bytes {count * 1000} distinct {count} bad 0\n"


XDP = {"underlay": "net_af_xdp0,iface=eth0", "vm": "net_af_xdp1,iface={vm}"}


@pytest.mark.parametrize("pair", [{"change": vdevs(**XDP)}], indirect=True, ids=["af_xdp"])
def test_af_xdp(pair):
    """On veths, in the kernel's generic way; the programs go away with the device."""
    assert "xdp" in pair.sh("a", "ip link show eth0").stdout
    whole(pair)
    assert pair.devices["a"].end()[0] == 0
    assert "xdp" not in pair.sh("a", "ip link show eth0").stdout


@pytest.mark.parametrize("pair", [{"change": vdevs(underlay="net_memif0,role={role},id=0,socket-abstract=no,socket={memif}")}],
                         indirect=True, ids=["memif"])
def test_memif_underlay(pair):
    """The devices share memory; the server takes its socket away when it ends, and the other one lives on."""
    assert MEMIF.exists()
    whole(pair)
    assert pair.devices["a"].end()[0] == 0 and not MEMIF.exists()
    assert pair.show("b", "ports")


def tap_to_vm(pair, host):
    """Gives the device's tap to the VM, in place of its veth."""
    vm = VMS[host]
    four, six = ADDRESSES[vm]
    pair.sh(vm, "ip link del eth0")
    pair.sh(host, f"ip link set tap0 netns {pair.ns(vm)} name eth0")
    pair.sh(vm, f"ip link set eth0 address {MACS[vm]} up; ip addr add {four}/24 dev eth0; ip addr add {six}/64 dev eth0 nodad;"
            "ip route add default via 10.0.1.254; ip route add default via fd00:1::fe")


@pytest.mark.parametrize("pair", [{"change": vdevs(vm="net_tap0,iface=tap0")}], indirect=True, ids=["tap"])
def test_tap(pair):
    """A VM by its tap, as QEMU would have it: the namespace is given the device."""
    for host in VMS:
        tap_to_vm(pair, host)
    whole(pair)


@pytest.fixture
def chain(request, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces")
    made = Chain(tmp_path, request.param)
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.mark.parametrize("chain", list(DRIVERS), indirect=True)
def test_chain_loses_nothing(chain):
    """Through three devices, in batches that their rings hold however busy the machine is: each device has as many as
    were sent, and so has the VM."""
    batch, batches = 400, 25
    count = batch * batches
    chain.sh("vm2", "ip addr flush dev eth0")  # nobody who would answer
    before = int(chain.sh("vm2", "cat /sys/class/net/eth0/statistics/rx_packets"))
    base = chain.counters()

    def arrived():
        return int(chain.sh("vm2", "cat /sys/class/net/eth0/statistics/rx_packets")) - before
    for sent in range(batch, count + 1, batch):
        chain.sh("vm1", f"{TRAFFIC} udp-send 10.0.1.2 5000 -c {batch} -r 20000 -s 64")
        wait_for(f"{sent} packets at vm2, not {arrived()}", lambda: arrived() >= sent)
    for (rx, tx, _), (rx0, tx0, _) in zip(chain.counters(), base):
        assert rx - rx0 >= count and tx - tx0 == count, (chain.counters(), base)
    assert len(base) == LENGTH and all("TX_FULL" not in drops for _, _, drops in chain.counters())


def start(tmp_path, vdev):
    path = tmp_path / "vfd.json"
    path.write_text(json.dumps({"ports": [{"name": "good", "kind": "vm", "vdev": "net_null0"},
                                          {"name": "p1", "kind": "vm", "vdev": vdev}]}), encoding="utf-8")
    return command(VFD, "--config", path, check=False)


@pytest.mark.parametrize("vdev, says", [
    ("net_af_packet0,iface=nope", "No such device"),
    ("net_af_xdp0,iface=nope", "nope"),
    ("net_nothing0", "failed to parse device \"vdev:net_nothing0\""),
    ("net_memif0,role=client,id=0,socket-abstract=no,socket=/nowhere/memif", "a client starts after the server"),
], ids=["af_packet", "af_xdp", "unknown", "memif"])
def test_a_port_that_does_not_start(tmp_path, vdev, says):
    """One line: which port, with what words, why."""
    done = start(tmp_path, vdev)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert f"port p1: cannot start {vdev}: " in done.stderr and says in done.stderr, done.stderr


@pytest.mark.parametrize("vdev, capability", [
    ("net_af_packet0,iface=lo", "CAP_NET_RAW"), ("net_af_xdp0,iface=lo", "CAP_BPF"), ("net_tap0,iface=tapx", "CAP_NET_ADMIN")])
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_without_privileges(tmp_path, vdev, capability):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as config:  # pytest's folders are root's alone
        json.dump({"ports": [{"name": "p1", "kind": "vm", "vdev": vdev}]}, config)
        config.flush()
        os.chmod(config.name, 0o644)
        done = command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", VFD, "--config", config.name, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.rstrip().endswith(capability) and "as this user it needs" in done.stderr, done.stderr
