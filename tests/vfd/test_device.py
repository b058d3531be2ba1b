# SPDX-License-Identifier: BSD-3-Clause
"""What the device does beside forwarding: sessions, routing between networks, reloading, several workers."""

import json
import signal

import pytest

from device import GATEWAY, MACS, TRAFFIC, VFD, base_config, command

UDP_5000 = "udp and src host 10.0.1.1 and dst port 5000"


def stateful(configs):
    """vm1 may ask for UDP 5000, and that is all."""
    configs["a"]["security_groups"] = [{"name": "client", "rules": [
        {"name": "ask", "direction": "out", "action": "allow", "proto": "udp", "ports": "5000"}]}]
    configs["a"]["vpcs"][0]["vms"][0]["security_groups"] = ["client"]


@pytest.mark.parametrize("pair", [{"change": stateful}], indirect=True, ids=["client"])
def test_sessions(pair):
    """Answers pass, what nobody asked for does not; the same packets, but for who began."""
    pair.process("vm2", TRAFFIC, "udp-echo", 5000, "-t", 15).expect("ready")
    said = pair.sh("vm1", f"{TRAFFIC} udp-ask 10.0.1.2 5000 -c 20 -p 6000 -t 5").stdout
    assert "20" in said and not pair.drops("a").get("GROUP_DEFAULT"), said
    pair.send("vm2", "10.0.1.1", 6001, "-c", 7, "-p", 5000)
    row = pair.dropped("a", "GROUP_DEFAULT", 7)
    assert (row["code"], row["site"]) == ("policy-group-default", "groups_in")


def two_networks(configs):
    """vm1 in blue (100), vm2 in red (200); each device routes what its VM sends into the other network."""
    blue = {host: c["vpcs"][0] for host, c in configs.items()}
    gateway = {"mac": GATEWAY, "addresses": ["10.0.2.254"]}
    red = {"a": {"name": "red", "vni": 200, "gateway": gateway, "remotes": [
        {"prefix": "10.0.2.2", "mac": MACS["vm2"], "vtep": "172.31.0.2"}]}}
    red["b"] = {"name": "red", "vni": 200, "gateway": gateway, "vms": [
        {"port": "vm2", "mac": MACS["vm2"], "addresses": ["10.0.2.2"]}],
        "routes": [{"prefix": "10.0.1.0/24", "kind": "local", "vpc": "blue"}]}
    blue["a"]["remotes"], blue["a"]["routes"] = [], [{"prefix": "10.0.2.0/24", "kind": "local", "vpc": "red"}]
    blue["b"]["vms"] = []
    for host, config in configs.items():
        config["vpcs"].append(red[host])


@pytest.mark.parametrize("pair", [{"change": two_networks}], indirect=True, ids=["blue-red"])
def test_routes_between_networks(pair):
    pair.agents_start()
    pair.sh("vm2", "ip addr flush dev eth0 scope global; ip addr add 10.0.2.2/24 dev eth0; ip route add default via 10.0.2.254")
    assert " ttl=63 " in pair.sh("vm1", "ping -c 2 -i 0.2 -W 5 10.0.2.2").stdout
    sink = pair.sink("vm2", 5000, 10)
    result = pair.trace(UDP_5000, lambda: pair.send("vm1", "10.0.2.2", 5000, "-c", 10), 10)
    assert sink.expect("received").startswith("received 10 ")
    assert result["packets"]["delivered"] == 10 and result["verdict"] is None, result
    assert [h["node"] for h in result["paths"][0]["hops"]] == ["a", "b"], result["paths"]
    said = []
    result = pair.trace("icmp and dst host 10.0.2.2", lambda: said.append(
        pair.sh("vm1", "ping -c 3 -i 0.2 -t 1 -W 2 10.0.2.2", check=False).stdout), 3)
    assert said[0].count("From 10.0.1.254 icmp_seq=") == 3 and "Time to live exceeded" in said[0], said
    cause = result["verdict"]
    assert (cause["class"], cause["code"], cause["certainty"], cause["node"], cause["device"], cause["packets"]) == (
        "tenant-config", "ttl-expired", "proven", "a", "vm1", 3), cause


def test_reload_loses_nothing(pair):
    """Reloads while packets go to and fro, one at a time so that a busy machine's queues lose none; a broken file
    changes nothing; then a new rule counts at once."""
    pair.process("vm2", TRAFFIC, "udp-echo", 5000, "-c", 1500, "-t", 15).expect("ready")
    asker = pair.process("vm1", TRAFFIC, "udp-ask", "10.0.1.2", 5000, "-c", 1500, "-t", 15)
    reloads = 0
    while asker.popen.poll() is None:
        pair.devices["a"].popen.send_signal(signal.SIGHUP)
        pair.devices["a"].expect("reloaded:")
        reloads += 1
    assert reloads > 10
    assert asker.expect("sent") == "sent 1500 answered 1500\n"

    pair.path("a", "json").write_text("{", encoding="utf-8")
    pair.devices["a"].popen.send_signal(signal.SIGHUP)
    assert "line 1" in pair.devices["a"].expect("the old configuration stays")
    assert "0% packet loss" in pair.sh("vm1", "ping -c 1 -W 5 10.0.1.2").stdout

    pair.configs["a"]["vpcs"][0]["routes"] = [{"prefix": "10.0.1.2/32", "kind": "blackhole"}]
    pair.configs["a"]["vpcs"][0]["remotes"] = []
    pair.write("a")
    pair.devices["a"].popen.send_signal(signal.SIGHUP)
    pair.devices["a"].expect("reloaded:")
    pair.send("vm1", "10.0.1.2", 5000, "-c", 5)
    assert pair.dropped("a", "ROUTE_BLACKHOLE", 5)["evidence"] == "route blackhole 10.0.1.2/32 of VPC blue"


def workers(configs):
    for config in configs.values():
        config["workers"] = 2


@pytest.mark.parametrize("pair", [{"change": workers}], indirect=True, ids=["2"])
def test_workers(pair):
    """One worker on the VM's port, one on the underlay's: both ways, traced in both directions."""
    pair.agents_start()
    pair.process("vm2", TRAFFIC, "udp-echo", 5000, "-t", 15).expect("ready")
    result = pair.trace(UDP_5000, lambda: pair.sh("vm1", f"{TRAFFIC} udp-ask 10.0.1.2 5000 -c 30 -t 5"), 30, "--bidirectional")
    assert (result["packets"]["coloured"], result["packets"]["delivered"]) == (60, 60), result
    assert result["verdict"] is None and len(result["paths"]) == 2, result["paths"]


def test_flows_and_flush(pair):
    """A flow is one entry that counts its packets; behind a flush it is not used any more."""
    sink = pair.sink("vm2", 5000, 9)
    pair.send("vm1", "10.0.1.2", 5000, "-c", 9, "-p", 6000)
    sink.expect("received 9 ")
    flows = [f for f in pair.show("a", "flows") if (f["sport"], f["dport"]) == (6000, 5000)]
    assert [(f["src"], f["dst"], f["action"], f["vni"], f["packets"], f["set"]) for f in flows] == [
        ("10.0.1.1", "10.0.1.2", "tunnel", 100, 9, 0)]
    pair.ctl("a", "flush")
    pair.sh("vm1", "ping -c 1 -W 5 10.0.1.2")
    assert not [f for f in pair.show("a", "flows") if f["dport"] == 5000]
    assert {p["name"]: p["kind"] for p in pair.show("a", "ports")} == {"eth0": "underlay", "vm1": "vm"}
    assert {"vpc": "blue", "vni": 100, "prefix": "10.0.1.2/32", "kind": "remote", "vtep": "172.31.0.2"} in pair.show("a", "tables")


@pytest.mark.parametrize("pair", [{"start": ("a",)}], indirect=True, ids=["a"])
def test_a_second_device_leaves_the_first_alone(pair):
    """Its sockets are taken: it says whose in one line, and nothing of it stays; the first one goes on."""
    config = base_config("b")
    for number, port in enumerate(config["ports"]):
        port["vdev"] = f"net_null{number}"
    path = pair.tmp / "second.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    for socket, ctl, words in (
        (pair.path("a", "vdg"), pair.tmp / "ctl2", "a.vdg: another device serves this socket"),
        (pair.tmp / "vdg2", pair.path("a", "ctl"), "a.ctl: another device serves this socket"),
    ):
        done = command(VFD, "--config", path, "--socket", socket, "--ctl", ctl, check=False)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and words in done.stderr, done.stderr
    assert not (pair.tmp / "ctl2").exists() and not (pair.tmp / "vdg2").exists()
    assert {port["name"] for port in pair.show("a", "ports")} == {"eth0", "vm1"}


@pytest.mark.parametrize("pair", [{"start": ("a",)}], indirect=True, ids=["a"])
def test_a_table_for_people(pair):
    """On a terminal; JSON everywhere else, and with --json there, too. What cannot be shown is told."""
    ctl = f"{VFD} ctl {pair.path('a', 'ctl')}"
    rows = [line.split() for line in command("script", "-qec", f"{ctl} show ports", "/dev/null").stdout.splitlines()]
    assert rows[0] == ["NAME", "KIND", "MAC", "MTU", "RX", "TX", "TX_FULL", "OWN", "MADE"]
    assert [row[:4] for row in rows[1:]] == [["eth0", "underlay", MACS["a"], "1600"], ["vm1", "vm", rows[2][2], "1500"]]
    said = command("script", "-qec", f"{ctl} show ports --json", "/dev/null").stdout.splitlines()
    assert [json.loads(line)["name"] for line in said] == ["eth0", "vm1"]
    done = command(VFD, "ctl", pair.path("a", "ctl"), "show", "weather", check=False)
    assert done.returncode == 1 and "there is no 'weather': show ports, flows, tables or drops" in done.stderr, done.stderr
