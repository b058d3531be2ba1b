# SPDX-License-Identifier: BSD-3-Clause
"""Healthy traffic in the environment's lab, by the end-to-end tests' own words (tests/e2e/test_healthy.py): delivered, over the right
hops, nobody blamed. Without what only the kernel does (NAT, taps, offloads, fragments). The Linux datapath has had them there."""

import pytest

import test_healthy as healthy
from case import load_environment
from checks import check_healthy
from lab import Lab, System

ENV = load_environment()
ECN_SOCKET = """
import socket, sys
six = ":" in sys.argv[1]
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
"""
ECN_SEND = ECN_SOCKET + """
s.setsockopt(level, socket.IPV6_TCLASS if six else socket.IP_TOS, 2)
s.sendto(b"x" * 64, (sys.argv[1], 5008))
"""
ECN_SINK = ECN_SOCKET + """
s.setsockopt(level, socket.IPV6_RECVTCLASS if six else 13, 1)  # IP_RECVTOS
s.bind((sys.argv[1], 5008))
print("ready", flush=True)
print("ecn", s.recvmsg(100, 100)[1][0][2][0] & 3)
"""

if ENV.name != "linux":
    test_ping = healthy.test_ping
    test_tcp = healthy.test_tcp
    test_other_protocols = healthy.test_other_protocols
    test_same_addresses_in_two_networks = healthy.test_same_addresses_in_two_networks
    test_prefixes_and_wildcards = healthy.test_prefixes_and_wildcards
    test_both_directions = healthy.test_both_directions
    test_count_is_exact = healthy.test_count_is_exact
    test_other_underlays = healthy.test_other_underlays
    test_packets_are_listed_when_asked_for = healthy.test_packets_are_listed_when_asked_for
    test_no_match_is_status_3 = healthy.test_no_match_is_status_3

    @pytest.mark.parametrize(
        "dst, route",
        [
            ("10.0.1.2", healthy.SAME_VNI), ("10.0.1.4", healthy.SAME_HOST), ("10.0.2.3", healthy.ROUTED),
            ("fd01::2", healthy.SAME_VNI), ("fd01::4", healthy.SAME_HOST), ("fd02::3", healthy.ROUTED),
        ],
    )
    def test_udp(shared, dst, route):
        healthy.test_udp(shared, dst, route)

    @pytest.mark.parametrize("src, dst", [("10.0.1.1", "10.0.1.2"), ("fd01::1", "fd01::2")])
    def test_congestion_is_passed_on(shared, src, dst):
        """Marked by the underlay, a flow that does ECN arrives as having met congestion (RFC 6040), and is no loss."""
        shared.lab.meet("vm1", dst)
        sink = shared.lab.start("vm2", "python3", "-c", ECN_SINK, dst)
        sink.wait_line("^ready", 10)
        shared.lab.fault("underlay-ecn", "on")
        try:
            result = shared.trace(
                f"udp and src host {src} and dst host {dst} and dst port 5008",
                lambda: shared.lab.run("vm1", "python3", "-c", ECN_SEND, dst), count=1,
            )
        finally:
            shared.lab.fault("underlay-ecn", "off")
        check_healthy(result, 1, healthy.SAME_VNI)
        assert sink.wait().splitlines()[-1] == "ecn 3"


@pytest.fixture
def lab(request):
    made = Lab(folder=ENV.lab, **ENV.options, **request.param)
    yield made
    made.down()


@pytest.fixture
def agents(lab):
    system = System(lab, ENV.agents)
    yield system
    assert system.stop() == []


@pytest.fixture(scope="module")
def shared():
    made = Lab(folder=ENV.lab, **ENV.options)
    try:
        system = System(made, ENV.agents)
        yield system
        assert system.stop() == []
    finally:
        made.down()
