# SPDX-License-Identifier: BSD-3-Clause
"""The lab itself, without VTrace: a test of VTrace means nothing where the lab does not do what it says."""

import subprocess

import pytest

from lab import ROOT, Lab, counts

REACHABLE = [
    ("vm1", "10.0.1.2"), ("vm1", "10.0.1.4"), ("vm1", "10.0.2.3"), ("vm1", "203.0.113.10"), ("vm1", "fd01::2"),
    ("vm1", "fd02::3"), ("vm1", "2001:db8:f::10"), ("vm5", "10.0.1.2"), ("vm3", "10.0.1.4"), ("ctl", "172.30.0.3"),
]


@pytest.mark.parametrize("lab", [{}, {"UNDERLAY": 6, "VXLAN_PORT": 8472}], indirect=True, ids=["ipv4", "ipv6"])
def test_everyone_reaches_everyone(lab):
    for node, dst in REACHABLE:
        lab.run(node, "ping", "-c1", "-W3", dst)


def test_tap_vm_reaches_both_hosts(lab):
    lab.tap_vm()
    for dst in ("10.0.1.1", "10.0.1.2", "fd01::2", "10.0.2.3"):
        lab.run("vm7", "ping", "-c1", "-W3", dst)


def test_dnat_leads_to_vm2(lab):
    sink = lab.listen("vm2", "tcp-sink", 80)
    assert lab.traffic("ext", "tcp-send", "203.0.113.1", 8080, "-s", 100000) == {"sent": 100000}
    assert counts(sink.wait()) == {"received": 1, "bytes": 100000, "bad": 0}


def test_traffic_counts_are_exact(lab):
    lab.meet("vm1", "10.0.2.3")  # else datagrams wait for an ARP answer, and no more than 256 of this size can
    sink = lab.listen("vm3", "udp-sink", 53, "-c", 500)
    assert lab.send_udp("vm1", "10.0.2.3", 53, 500, rate=5000) == {"sent": 500}
    assert counts(sink.wait()) == {"received": 500, "bytes": 32000, "distinct": 500, "bad": 0}


def test_two_labs_do_not_meet(lab):
    other = Lab()
    try:
        assert other.prefix != lab.prefix
        other.fault("route-missing-gw")
        lab.run("vm1", "ping", "-c1", "-W3", "10.0.2.3")
        assert other.run("vm1", "ping", "-c1", "-W1", "10.0.2.3", check=False).returncode != 0
    finally:
        other.down()


def test_down_leaves_nothing_and_can_be_repeated():
    lab = Lab()
    proc = lab.start("vm1", "sleep", 1000)
    for _ in range(2):
        done = subprocess.run([str(ROOT / "lab/down"), lab.prefix], capture_output=True, text=True, check=True)
        assert done.stderr == ""
    assert proc.popen.wait(5) == -9
    assert lab.prefix not in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout


def test_up_twice_is_refused(lab):
    done = subprocess.run([str(ROOT / "lab/up"), lab.prefix], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "already up" in done.stderr
    lab.run("vm1", "ping", "-c1", "-W3", "10.0.1.2")


@pytest.mark.parametrize("args", [["up", "a/b"], ["fault", "no-such", "on"], ["exec", "vm9", "true"]])
def test_bad_words_get_one_line(lab, args):
    done = subprocess.run([str(ROOT / "lab" / args[0]), *args[1:]], capture_output=True, text=True, env=lab.env, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("lab: ") and done.stderr.count("\n") == 1
