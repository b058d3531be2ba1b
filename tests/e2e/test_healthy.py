# SPDX-License-Identifier: BSD-3-Clause
"""Healthy traffic of every shape: each coloured packet is delivered, over the right hops, and nothing is blamed."""

import pytest

from checks import check_healthy, check_result, hops_of, show
from lab import ROOT, counts, traffic_path

SAME_VNI = [("a", "vm1", "eth0"), ("b", "eth0", "vm2")]
SAME_HOST = [("a", "vm1", "vm4")]
ROUTED = [("a", "vm1", "eth0"), ("gw", "eth0", "eth0"), ("b", "eth0", "vm3")]
OUT = [("a", "vm1", "eth0"), ("gw", "eth0", "ext0")]
INTO = [("gw", "ext0", "eth0"), ("b", "eth0", "vm2")]
OTHER_TENANT = [("a", "vm5", "eth0"), ("b", "eth0", "vm6")]


def back(route):
    return [(node, out, into) for node, into, out in reversed(route)]


@pytest.mark.parametrize(
    "dst, route",
    [
        ("10.0.1.2", SAME_VNI), ("10.0.1.4", SAME_HOST), ("10.0.2.3", ROUTED), ("203.0.113.10", OUT),
        ("fd01::2", SAME_VNI), ("fd01::4", SAME_HOST), ("fd02::3", ROUTED), ("2001:db8:f::10", OUT),
    ],
)
def test_udp(shared, dst, route):
    shared.lab.meet("vm1", dst)
    src = "fd01::1" if ":" in dst else "10.0.1.1"
    result = shared.trace(
        f"udp and src host {src} and dst host {dst} and dst port 5000",
        lambda: shared.lab.send_udp("vm1", dst, 5000, 20, src_port=4000), count=20,
    )
    check_healthy(result, 20, route)
    if not dst.startswith("203."):
        assert {path["flow"].replace("[", "").replace("]", "") for path in result["paths"]} == {f"{src}:4000 > {dst}:5000 udp"}


@pytest.mark.parametrize("src, dst", [("10.0.1.1", "10.0.1.2"), ("fd01::1", "fd01::2")])
def test_frames_of_a_packet_ring(shared, src, dst):
    """Their headers are not linear."""
    shared.lab.meet("vm1", dst)
    mac = shared.lab.run("vm2", "cat", "/sys/class/net/eth0/address").stdout.strip()
    sink = shared.lab.listen("vm2", "udp-sink", 5070, "-c", 10)
    result = shared.trace(
        f"udp and src host {src} and dst host {dst} and dst port 5070",
        lambda: shared.lab.run("vm1", "/usr/bin/python3", ROOT / "tests/e2e/ring_send.py", "eth0", mac, src, dst, 5070, 10),
    )
    assert counts(sink.wait())["received"] == 10
    check_healthy(result, 10, SAME_VNI)


@pytest.mark.parametrize("dst, route", [("10.0.1.2", SAME_VNI), ("10.0.2.3", ROUTED), ("fd02::3", ROUTED)])
def test_ping(shared, dst, route):
    proto, src = ("icmp6", "fd01::1") if ":" in dst else ("icmp", "10.0.1.1")
    shared.lab.meet("vm1", dst)
    result = shared.trace(
        f"{proto} and src host {src} and dst host {dst}",
        lambda: shared.lab.run("vm1", "ping", "-c5", "-i0.01", "-W2", dst), count=5, bidirectional=True,
    )
    check_healthy(result, 10, route, back(route))


@pytest.mark.parametrize("dst, port, vm, route", [("10.0.1.2", 80, "vm2", SAME_VNI), ("fd02::3", 80, "vm3", ROUTED)])
def test_tcp(shared, dst, port, vm, route):
    sink = shared.lab.listen(vm, "tcp-sink", port)
    src = "fd01::1" if ":" in dst else "10.0.1.1"
    result = shared.trace(
        f"tcp and src host {src} and dst host {dst} and dst port {port}",
        lambda: shared.lab.traffic("vm1", "tcp-send", dst, port, "-s", 5000), count=1000, seconds=2,
    )
    assert counts(sink.wait())["bad"] == 0
    check_healthy(result, None, route)


def retransmitted(lab):
    """Segments that vm1 has sent again so far."""
    return lab.run("vm1", "nstat", "-asz", "TcpRetransSegs").stdout


@pytest.mark.parametrize("offload", ["on", "off"])
def test_big_tcp_segments_and_merges(shared, offload):
    """2 MB of TCP. With offload the sender's packets are segmented behind it, without it the receiver merges them."""
    shared.lab.run("vm1", "ethtool", "-K", "eth0", "tso", offload, "gso", offload)
    sink = shared.lab.listen("vm2", "tcp-sink", 80)
    before = retransmitted(shared.lab)
    result = shared.trace(
        "tcp and src host 10.0.1.1 and dst host 10.0.1.2 and dst port 80",
        lambda: shared.lab.traffic("vm1", "tcp-send", "10.0.1.2", 80, "-s", 2000000), count=10000, seconds=3,
    )
    shared.lab.run("vm1", "ethtool", "-K", "eth0", "tso", "on", "gso", "on")
    assert counts(sink.wait()) == {"received": 1, "bytes": 2000000, "bad": 0}
    if retransmitted(shared.lab) == before:
        check_healthy(result, None, SAME_VNI)
        return
    # a busy machine made the sender repeat segments: of equal bytes it is not known which were merged into what
    packets = result["packets"]
    assert result["causes"] == [] and packets["delivered"] + packets["unfinished"] == packets["coloured"], show(result)
    assert packets["delivered"] > 0.9 * packets["coloured"], show(result)


@pytest.mark.parametrize("proto, word", [(253, "proto 253"), (132, "sctp"), (47, "proto 47")])
def test_other_protocols(shared, proto, word):
    shared.lab.meet("vm1", "10.0.2.3")
    result = shared.trace(
        f"{word} and src host 10.0.1.1 and dst host 10.0.2.3",
        lambda: shared.lab.traffic("vm1", "raw-send", "10.0.2.3", proto, "-c", 10, check=False), count=10,
    )
    check_healthy(result, 10, ROUTED)


def test_snat_is_followed(shared):
    shared.lab.listen("ext", "udp-echo", 7, "-c", 10)
    result = shared.trace(
        "udp and src host 10.0.1.1 and dst host 203.0.113.10 and dst port 7",
        lambda: shared.lab.traffic("vm1", "udp-ask", "203.0.113.10", 7, "-c", 10, "-p", 4001), count=10,
    )
    check_healthy(result, 10, OUT)
    for path in result["paths"]:
        assert path["hops"][0]["nat"] is None, show(path)
        assert "203.0.113.1:" in str(path["hops"][1]["nat"]), show(path)


def test_dnat_is_followed(shared):
    sink = shared.lab.listen("vm2", "udp-sink", 80, "-c", 10)
    result = shared.trace(
        "udp and src host 203.0.113.10 and dst host 203.0.113.1 and dst port 8080",
        lambda: shared.lab.send_udp("ext", "203.0.113.1", 8080, 10), count=10,
    )
    assert counts(sink.wait())["distinct"] == 10
    check_healthy(result, 10, INTO)
    for path in result["paths"]:
        assert "10.0.1.2:80" in str(path["hops"][0]["nat"]), show(path)


@pytest.mark.parametrize("with_port", [True, False])
@pytest.mark.parametrize("dst, vm, route", [("10.0.1.2", "vm2", SAME_VNI), ("10.0.2.3", "vm3", ROUTED)])
def test_fragments(shared, with_port, dst, vm, route):
    """Three fragments a datagram; only the first has ports, so a filter with ports may colour only that one."""
    sink = shared.lab.listen(vm, "udp-sink", 5001, "-c", 8)
    shared.lab.meet("vm1", dst)
    result = shared.trace(
        f"udp and src host 10.0.1.1 and dst host {dst}" + (" and dst port 5001" if with_port else ""),
        lambda: shared.lab.send_udp("vm1", dst, 5001, 8, size=4000), count=24, seconds=2,
    )
    assert counts(sink.wait()) == {"received": 8, "bytes": 32000, "distinct": 8, "bad": 0}
    assert result["packets"]["coloured"] in ((8, 24) if with_port else (24,)), show(result)
    check_healthy(result, None, route)


def test_same_addresses_in_two_networks(shared):
    """vm1 to vm2 and vm5 to vm6 have the same addresses; the VNI tells them apart, and without it both are meant."""
    lab = shared.lab
    for vm in ("vm1", "vm5"):
        lab.meet(vm, "10.0.1.2")
    flow = "udp and src host 10.0.1.1 and dst host 10.0.1.2 and dst port 5002"
    traces = [shared.add(f, 100, 2) for f in (f"vni 100 and {flow}", f"vni 300 and {flow}", flow)]
    lab.send_udp("vm1", "10.0.1.2", 5002, 7, seed=1)
    lab.send_udp("vm5", "10.0.1.2", 5002, 9, seed=2)
    first, second, both = [trace.end() for trace in traces]
    check_healthy(first, 7, SAME_VNI)
    check_healthy(second, 9, OTHER_TENANT)
    check_healthy(both, 16, SAME_VNI, OTHER_TENANT)
    assert {hop["vni"] for path in second["paths"] for hop in path["hops"]} == {300}, show(second)


def test_prefixes_and_wildcards(shared):
    lab = shared.lab
    for dst in ("10.0.1.2", "10.0.2.3", "10.0.1.4"):
        lab.meet("vm1", dst)
    wide = shared.add("udp", 100, 2)
    prefix = shared.add("udp and src net 10.0.1.0/24 and dst net 10.0.2.0/23", 100, 2)
    port = shared.add("src net 10.0.0.0/8 and udp and dst port 5003", 100, 2)
    lab.send_udp("vm1", "10.0.1.2", 5003, 3)
    lab.send_udp("vm1", "10.0.2.3", 5004, 4)
    lab.send_udp("vm1", "10.0.1.4", 5003, 5)
    check_healthy(wide.end(), 12, SAME_VNI, ROUTED, SAME_HOST)
    check_healthy(prefix.end(), 4, ROUTED)
    check_healthy(port.end(), 8, SAME_VNI, SAME_HOST)


def test_both_directions(shared):
    shared.lab.listen("vm3", "udp-echo", 7, "-c", 10)
    result = shared.trace(
        "udp and src host 10.0.1.1 and dst host 10.0.2.3 and dst port 7",
        lambda: shared.lab.traffic("vm1", "udp-ask", "10.0.2.3", 7, "-c", 10), count=10, bidirectional=True,
    )
    check_healthy(result, 20, ROUTED, back(ROUTED))
    by_direction = {d: sum(p["packets"] for p in result["paths"] if p["direction"] == d) for d in ("forward", "reverse")}
    assert by_direction == {"forward": 10, "reverse": 10}, show(result)


@pytest.mark.parametrize("senders", [1, 4])
def test_count_is_exact(shared, senders):
    """More packets than asked for, from several senders at once: not one too many is coloured, and none too few."""
    lab = shared.lab
    vms = ["vm1", "vm4"]
    lab.absorb("10.0.1.2", 5005)
    for vm in vms:
        lab.meet(vm, "10.0.1.2")

    def send():
        args = ["udp-send", "10.0.1.2", 5005, "-c", 400, "-r", 4000]
        procs = [lab.start(vms[i % 2], traffic_path(), *args, "-S", i) for i in range(senders)]
        for proc in procs:
            assert counts(proc.wait()) == {"sent": 400}

    result = shared.trace("udp and dst host 10.0.1.2 and dst port 5005", send, count=100)
    check_healthy(result, 100)
    assert {hops_of(path)[1] for path in result["paths"]} == {("b", "eth0", "vm2")}, show(result)


def test_256_tasks_at_once(shared):
    shared.lab.meet("vm1", "10.0.2.3")
    traces = [shared.add(f"udp and dst host 10.0.2.3 and dst port {20000 + i}", 1, 30, armed=False) for i in range(256)]
    for trace in traces:
        trace.wait_state("tracing")
    for i in range(256):
        shared.lab.send_udp("vm1", "10.0.2.3", 20000 + i, 1, seed=i)
    for trace in traces:
        result = trace.end()
        check_result(result)
        check_healthy(result, 1, ROUTED)


def test_tap_vm(shared):
    shared.lab.tap_vm()
    for dst, route in (("10.0.1.2", [("a", "vm7", "eth0"), ("b", "eth0", "vm2")]), ("10.0.1.1", [("a", "vm7", "vm1")])):
        shared.lab.meet("vm7", dst)
        result = shared.trace(
            f"udp and src host 10.0.1.7 and dst host {dst} and dst port 5006",
            lambda dst=dst: shared.lab.send_udp("vm7", dst, 5006, 10), count=10,
        )
        check_healthy(result, 10, route)


@pytest.mark.parametrize(
    "lab", [{"UNDERLAY": 6}, {"VXLAN_PORT": 8472}, {"UNDERLAY": 6, "VXLAN_PORT": 14789}], indirect=True,
    ids=["over-ipv6", "port-8472", "both"],
)
def test_other_underlays(lab, agents):
    for src, dst in (("10.0.1.1", "10.0.2.3"), ("fd01::1", "fd02::3")):
        lab.meet("vm1", dst)
        result = agents.trace(
            f"udp and src host {src} and dst host {dst} and dst port 5000", lambda dst=dst: lab.send_udp("vm1", dst, 5000, 10)
        )
        check_healthy(result, 10, ROUTED)
        outer = [hop["out"].get("outer_dst") for hop in result["paths"][0]["hops"]]
        want = "fd31::" if lab.env.get("UNDERLAY") == "6" else "172.31.0."
        assert outer[0] == want + "3" and outer[1] == want + "2", show(result)


def test_packets_are_listed_when_asked_for(shared):
    shared.lab.meet("vm1", "10.0.1.2")
    result = shared.trace(
        "udp and dst host 10.0.1.2 and dst port 5007", lambda: shared.lab.send_udp("vm1", "10.0.1.2", 5007, 5), count=5,
        flags=["--packets"],
    )
    check_healthy(result, 5, SAME_VNI)
    assert len(result["list"]) == 5, show(result)


def test_no_match_is_status_3(shared):
    trace = shared.add("udp and dst host 10.9.9.9", 5, 1)
    done = shared.cli("result", trace.id, "--wait", "--json")
    assert done.returncode == 3, done
