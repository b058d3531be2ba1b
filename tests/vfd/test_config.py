# SPDX-License-Identifier: BSD-3-Clause
"""What is wrong with a configuration is told by line, or by the field's path; and it is told before anything starts."""

import json

import pytest

from device import ROOT, VFD, VTRACE, base_config, command


def check(path):
    return command(VFD, "--config", path, "--check", check=False)


def edit(*steps, value):
    """Sets one field of a right configuration."""
    config = base_config("a")
    at = config
    for step in steps[:-1]:
        at = at[step]
    at[steps[-1]] = value
    return config


GROUP = {"name": "g", "rules": [{"name": "r", "direction": "in", "action": "allow", "proto": "udp", "ports": "9-1"}]}
SNAT = {"name": "s", "kind": "snat", "vpc": "red", "prefix": "10.0.0.0/8", "addresses": ["198.51.100.1"]}
DNAT = {"name": "d", "kind": "dnat", "vpc": "red", "proto": "udp", "address": "198.51.100.1", "port": 80, "to": "10.0.1.1"}


def nat(*rules):
    """Translations from blue into red."""
    config = edit("vpcs", 0, "nat", value=list(rules))
    config["vpcs"].append({"name": "red", "vni": 200})
    return config


WRONG = {
    "ports[1].mac: '02:00' is not a MAC address": edit("ports", 1, "mac", value="02:00"),
    "ports[0].kind: 'router' is none of: vm, underlay": edit("ports", 0, "kind", value="router"),
    "ports[0].mtu: must be a number from 1280 to 9000": edit("ports", 0, "mtu", value=64),
    "ports[0].mtx: is not known here": edit("ports", 0, "mtx", value=64),
    "ports[1]: there is a port 'eth0' already": edit("ports", 1, "name", value="eth0"),
    "flows: must be a number from 1024 to 4194304": edit("flows", value=100),
    "new_flows: must be a number from 1000 to 100000000": edit("new_flows", value="many"),
    "ports: must have at least one port": edit("ports", value=[]),
    "vtep.port: port 'vm1' is not of the kind underlay": edit("vtep", "port", value="vm1"),
    "vtep.addresses[0]: must be an address with its prefix length": edit("vtep", "addresses", value=["hello"]),
    "vpcs[0].vni: must be a number from 1 to 16777215": edit("vpcs", 0, "vni", value=0),
    "vpcs[0].vms[0].port: there is no port 'vm9'": edit("vpcs", 0, "vms", 0, "port", value="vm9"),
    "vpcs[0].vms[0].security_groups[0]: there is no security group 'x'":
        edit("vpcs", 0, "vms", 0, "security_groups", value=["x"]),
    "vpcs[0].remotes[0].vtep: is missing": edit("vpcs", 0, "remotes", value=[{"prefix": "10.0.0.0/8"}]),
    "vpcs[0].remotes[0].prefix: '10.0.0.0/33' is not an IP prefix":
        edit("vpcs", 0, "remotes", 0, "prefix", value="10.0.0.0/33"),
    "vpcs[0].routes[0].vpc: there is no VPC 'red'":
        edit("vpcs", 0, "routes", value=[{"prefix": "10.0.0.0/8", "kind": "local", "vpc": "red"}]),
    "vpcs[0].routes[0].service: is missing": edit("vpcs", 0, "routes", value=[{"prefix": "10.0.0.0/8", "kind": "service"}]),
    "vpcs[0].nat[0]: the vpc of a nat rule is the one outside, not its own": nat({**SNAT, "vpc": "blue"}),
    "vpcs[0].nat[0]: addresses inside and outside must be of one family": nat({**SNAT, "addresses": ["2001:db8::1"]}),
    "vpcs[0].nat[0]: needs at least one public address": nat({**SNAT, "addresses": []}),
    "vpcs[0].nat[0].idle: must be a number from 11 to 86400": nat({**SNAT, "idle": 5}),
    "vpcs[0].nat[0]: a dnat rule needs the proto tcp or udp": nat({**DNAT, "proto": "icmp"}),
    "vpcs[0].nat[1]: another dnat rule leads to the same address and port": nat(DNAT, {**DNAT, "port": 81, "to_port": 80}),
    "security_groups[0].rules[0].ports: '9-1' is no range of ports": edit("security_groups", value=[GROUP]),
}


@pytest.mark.parametrize("error", list(WRONG))
def test_field(tmp_path, error):
    path = tmp_path / "vfd.json"
    path.write_text(json.dumps(WRONG[error]), encoding="utf-8")
    done = check(path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"vtrace-vfd: {path}: {error}\n")


def test_line(tmp_path):
    path = tmp_path / "vfd.json"
    path.write_text('{\n "ports": [\n  {"name" "eth0"}\n ]\n}\n', encoding="utf-8")
    done = check(path)
    assert done.returncode == 1 and done.stderr.startswith(f"vtrace-vfd: {path}: line 3: "), done.stderr


def test_right(tmp_path):
    path = tmp_path / "vfd.json"
    path.write_text(json.dumps(base_config("a")), encoding="utf-8")
    assert (check(path).returncode, check(path).stderr) == (0, "")


def test_documented(tmp_path):
    """docs/vfd.md shows a configuration that is one."""
    text = (ROOT / "docs/vfd.md").read_text(encoding="utf-8").split("## The configuration")[1].split("```")[1]
    path = tmp_path / "vfd.json"
    path.write_text(text, encoding="utf-8")
    assert (check(path).returncode, check(path).stderr) == (0, "")


def test_usage():
    assert command(VFD, check=False).returncode == 2
    assert command(VFD, "ctl", check=False).returncode == 2
    assert command(VFD, "--help").stdout.startswith("usage: vtrace-vfd --config FILE")
    assert command(VFD, "--version").stdout == command(VTRACE, "--version").stdout.replace("vtrace", "vtrace-vfd")


def test_no_device_to_ask(tmp_path):
    done = command(VFD, "ctl", tmp_path / "ctl", "show", "drops", check=False)
    assert (done.returncode, done.stderr) == (1, f"vtrace-vfd: cannot ask the device at {tmp_path}/ctl: No such file or directory; "
                                              "does one run with --ctl and this path?\n")


@pytest.mark.parametrize("line, words", [
    ("vtrace-vfd --c", "--config --ctl --check"), ("vtrace-vfd ctl /x sh", "show"), ("vtrace-vfd ctl /x show f", "flows"),
    ("vtrace-vfd ctl /x show drops ", "--json")])
def test_completion(line, words):
    """As bash asks for it: the words that the last one can become."""
    script = (f"source {ROOT}/packaging/completion/vtrace-vfd; read -ra COMP_WORDS <<<'{line}'; [[ '{line}' != *' ' ]] || COMP_WORDS+=('');"
              "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _vtrace_vfd; echo ${COMPREPLY[*]}")
    assert command("bash", "-c", script).stdout.split() == words.split()
