# SPDX-License-Identifier: BSD-3-Clause
"""vtrace-vfd with real packets: it forwards, it drops for the reasons that it names, and VTrace traces through it."""

import json
import os
import subprocess
import sys

import pytest

from checks import check_healthy, check_result, show
from devices import config, devices, vfd_path
from lab import counts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces and packet sockets")

FLOW = "udp and src host 10.0.1.1 and dst port {}"
ROUTE = [("a", "vm1", "eth0"), ("b", "eth0", "vm2")]


def first(configs, kind):
    return configs["a"][kind][0]


def test_it_forwards():
    with devices() as d:
        sink = d.listen("vm2", "udp-sink", 53, "-c", 100, "-t", 10)
        d.traffic("vm1", "udp-send", "10.0.1.2", 53, "-c", 100, "-r", 10000)
        got = counts(sink.wait())
        assert (got["received"], got["distinct"], got["bad"]) == (100, 100, 0), got
        assert "3 received" in d.run("vm1", "ping", "-c3", "-i0.2", "-W1", "10.0.1.2")
        flows = {flow["flow"].split()[-1]: flow for flow in d.ctl("a", "show", "flows") if flow["in"] == "vm1"}
        assert flows["udp"]["action"] == "tunnel" and flows["udp"]["packets"] == 100, flows
        ports = {port["name"]: port for port in d.ctl("b", "show", "ports")}
        assert ports["vm2"]["out"] >= 103 and ports["eth0"]["in"] >= 103, ports
        d.ctl("a", "flush")
        assert d.ctl("a", "show", "flows") == []


GARBAGE = """
import random, socket
chance = random.Random(7)
stream = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
stream.bind(("eth0", 0))
heads = [b"", b"\\x08\\x06\\x00\\x01\\x08\\x00\\x06\\x04\\x00\\x01", b"\\x08\\x00\\x45", b"\\x08\\x00\\x4f", b"\\x86\\xdd\\x60",
         b"\\x08\\x00\\x45\\x00\\xff\\xff"]
for n in range(600):
    stream.send(bytes(12) + heads[n % len(heads)] + chance.randbytes(chance.randrange(2, 200)))
"""


@pytest.mark.parametrize("where", ["vm1", "a"])
def test_garbage_is_counted_and_no_more(where):
    """Frames of chance from a VM, and on the underlay (from host a's side of the cable), among them cut and lying headers."""
    with devices() as d:
        d.run(where, sys.executable, "-c", GARBAGE)
        assert "2 received" in d.run("vm1", "ping", "-c2", "-i0.2", "-W1", "10.0.1.2")
        me = "a" if where == "vm1" else "b"
        assert sum(d.drops(me).values()) >= 500, d.drops(me)


def test_answers_may_come_in():
    """vm1's group lets nothing in from port 7, but what vm1 asked for."""
    def change(configs):
        configs["b"]["rules"].append({"group": "web", "priority": 5, "action": "allow", "direction": "in", "protocol": "udp", "ports": "7"})

    with devices(change) as d:
        d.listen("vm2", "udp-echo", 7, "-c", 5)
        assert d.traffic("vm1", "udp-ask", "10.0.1.2", 7, "-c", 5)["answered"] == 5


def test_healthy_packets_are_traced():
    with devices(vtrace=True) as d:
        sink = d.listen("vm2", "udp-sink", 53, "-c", 20, "-t", 10)
        result = d.trace(FLOW.format(53), lambda: d.traffic("vm1", "udp-send", "10.0.1.2", 53, "-c", 20))
        check_healthy(result, 10, ROUTE)  # packet_count is exact
        assert counts(sink.wait())["received"] == 20
        assert {n["name"]: n["datapath"] for n in d.json("nodes")} == {"a": "vtrace-vfd", "b": "vtrace-vfd"}
        again = d.trace(FLOW.format(53), lambda: d.traffic("vm1", "udp-send", "10.0.1.2", 53, "-c", 10))
        assert again["packets"]["coloured"] == 10, show(again)


def no_neighbour(configs):
    configs["a"]["neighbours"] = []


def small_underlay(configs):
    configs["a"]["ports"][1]["mtu"] = 1000


def other_vni(configs):
    configs["b"]["networks"][0]["vni"] = 101


def no_route(configs):
    configs["a"]["routes"] = []


CASES = {
    # name: (change of the configuration, where to, port, size, code, class, node, device, reason, words of the evidence)
    "rule": (None, "10.0.1.2", 1500, 64, "policy-group-rule", "security-policy", "b", "vm2", "POLICY_RULE",
             "group web priority 20: deny in udp ports 1000-2000, peer anywhere"),
    "default": (None, "10.0.1.2", 54, 64, "policy-group-default", "security-policy", "b", "vm2", "POLICY_DEFAULT",
                "group web has no rule that allows it in"),
    "blackhole": (None, "10.9.1.1", 53, 64, "route-blackhole", "tenant-config", "a", "vm1", "BLACKHOLE",
                  "10.9.0.0/16 blackhole in network blue"),
    "no-route": (no_route, "10.9.1.1", 53, 64, "route-missing", "tenant-config", "a", "vm1", "NO_ROUTE",
                 "network blue has neither a place nor a route for 10.9.1.1"),
    "no-neighbour": (no_neighbour, "10.0.1.2", 53, 64, "vtep-neighbour-failed", "infrastructure", "a", "vm1", "NO_NEIGHBOUR",
                     "tunnel end point 172.31.0.2 is not among the neighbours"),
    "underlay-mtu": (small_underlay, "10.0.1.2", 53, 1200, "underlay-mtu", "infrastructure", "a", "vm1", "TOO_BIG_UNDERLAY",
                     "tunnel packets are larger than MTU 1000 of port eth0"),
    "vni-unknown": (other_vni, "10.0.1.2", 53, 64, "vni-unknown", "infrastructure", "b", "eth0", "VNI_UNKNOWN",
                    "no network here has VNI 100"),
}


@pytest.mark.parametrize("name", CASES)
def test_drops_are_named(name):
    change, dst, port, size, code, klass, node, _, reason, evidence = CASES[name]
    with devices(change, vtrace=True) as d:
        if dst.startswith("10.9."):  # behind a router that the device is in place of
            d.run("vm1", "ip", "neigh", "add", dst, "lladdr", "02:00:00:00:00:99", "dev", "eth0")
        result = d.trace(FLOW.format(port), lambda: d.traffic("vm1", "udp-send", dst, port, "-c", 10, "-s", size))
        check_result(result)
        verdict = result["verdict"]
        assert result["packets"]["dropped"] == 10 and len(result["causes"]) == 1, show(result)
        assert (verdict["class"], verdict["code"], verdict["node"]) == (klass, code, node), show(result)
        assert (verdict["certainty"], verdict["reason"], verdict["evidence"]) == ("proven", reason, evidence), show(result)
        assert d.drops(node)[reason] == 10


def test_a_reload_changes_verdicts():
    with devices(vtrace=True) as d:
        denied = d.trace(FLOW.format(54), lambda: d.traffic("vm1", "udp-send", "10.0.1.2", 54, "-c", 10))
        assert denied["verdict"]["code"] == "policy-group-default", show(denied)
        d.configs["b"]["rules"].append({"group": "web", "priority": 1, "action": "allow", "direction": "in", "protocol": "udp", "ports": "54"})
        d.reload("b")
        d.listen("vm2", "udp-sink", 54, "-c", 10, "-t", 10)
        check_healthy(d.trace(FLOW.format(54), lambda: d.traffic("vm1", "udp-send", "10.0.1.2", 54, "-c", 10)), 10, ROUTE)


def test_a_reload_that_fails_changes_nothing():
    with devices() as d:
        with open(d.path("a.json"), "w", encoding="utf-8") as file:
            file.write("{")
        d.vfds["a"].popen.send_signal(1)
        d.vfds["a"].wait_line("the configuration of before stays", 5)
        d.listen("vm2", "udp-sink", 53, "-c", 1, "-t", 10)
        d.traffic("vm1", "udp-send", "10.0.1.2", 53, "-c", 1)
        assert "1 received" in d.run("vm1", "ping", "-c1", "-W1", "10.0.1.2")


def bad(change):
    made = config("a")
    change(made)
    return json.dumps(made)


@pytest.mark.parametrize("text, words", [
    ("{\n \"ports\": [", "line 2, column"),
    ("[]", "holds no JSON object"),
    ("{}", "ports: there is none"),
    (bad(lambda c: c["ports"][1].update(mac="x")), "ports[1].mac: a MAC address"),
    (bad(lambda c: c["ports"][0].update(network="red")), "ports[0].network: there is no network red"),
    (bad(lambda c: c["ports"][0].update(group="db")), "ports[0].group: there is no security group db"),
    (bad(lambda c: c["ports"][1].update(name="vm1")), "ports[1].name: another port has this name"),
    (bad(lambda c: c["ports"][1].pop("address")), "ports[1].address: a text is needed here"),
    (bad(lambda c: c["networks"][0].update(vni=0)), "networks[0].vni: a number from 1 to 16777215"),
    (bad(lambda c: c["rules"][1].update(ports="9-8")), "rules[1].ports:"),
    (bad(lambda c: c["rules"][2].update(ports="9")), "rules[2].ports:"),
    (bad(lambda c: c["rules"][0].update(action="maybe")), "rules[0].action: \"allow\" or \"deny\""),
    (bad(lambda c: c["rules"][0].update(peer="10.0.0.0/33")), "rules[0].peer: the prefix is longer"),
    (bad(lambda c: c["places"][1].update(vtep="here")), "places[1].vtep: an IPv4 or IPv6 address"),
    (bad(lambda c: c["routes"].append(3)), "routes[1]: an object is needed here"),
    (bad(lambda c: c.update(routes={})), "routes: a list is needed here"),
])
def test_what_is_wrong_in_a_configuration(tmp_path, text, words):
    path = tmp_path / "vfd.json"
    path.write_text(text)
    done = subprocess.run([vfd_path(), "--config", path, "--check"], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 1 and done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
    assert words in done.stderr and str(path) in done.stderr, done.stderr


def test_a_good_configuration_and_bad_usage(tmp_path):
    path = tmp_path / "vfd.json"
    path.write_text(json.dumps(config("a")))
    for argv, status, words in (
        (["--config", path, "--check"], 0, ""), (["--config", tmp_path / "none"], 1, "none"), ([], 2, "--config FILE is needed"),
        (["--config", path, "more"], 2, "too many arguments"), (["ctl", tmp_path / "no.sock", "show", "drops"], 1, "is a vtrace-vfd"),
        (["ctl"], 2, "usage"), (["--help"], 0, ""),
    ):
        done = subprocess.run([vfd_path(), *argv], capture_output=True, text=True, timeout=10, check=False)
        assert done.returncode == status and words in done.stderr, (argv, done)
