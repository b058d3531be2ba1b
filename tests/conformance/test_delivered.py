# SPDX-License-Identifier: BSD-3-Clause
"""Healthy traffic in the environment's lab, by the end-to-end tests' own words (tests/e2e/test_healthy.py): delivered, over the right
hops, nobody blamed. Without what only the kernel does (NAT, taps, offloads, fragments). The Linux datapath has had them there."""

import pytest

import test_healthy as healthy
from case import load_environment
from lab import Lab, System

ENV = load_environment()

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
