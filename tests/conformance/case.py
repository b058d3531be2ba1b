# SPDX-License-Identifier: BSD-3-Clause
"""The cases of the conformance suite and the environment they run in.

A case (cases/*.toml, one table a case, named like its fault) is what holds for every datapath: which fault is made, which
packets are sent through it, and what the right verdict is. An environment (linux.toml, vfd.toml, mixed.toml) is one datapath
or a mix: the lab to run in, its agents, and what the raw reason and the evidence of each case look like there. It runs the
cases that it has under [expect].
"""

import os
import pathlib
import tomllib
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
ADDRESSES = {
    "vm1": {4: "10.0.1.1", 6: "fd01::1"}, "vm2": {4: "10.0.1.2", 6: "fd01::2"}, "vm3": {4: "10.0.2.3", 6: "fd02::3"},
    "vm4": {4: "10.0.1.4", 6: "fd01::4"}, "vm7": {4: "10.0.1.7", 6: "fd01::7"},
    "ext": {4: "203.0.113.10", 6: "2001:db8:f::10"}, "gw": {4: "10.0.1.254", 6: "fd01::fe"},
}


@dataclass
class Case:
    name: str
    klass: str  # "class" in the file
    code: str
    node: str  # that is to be named; for a gap the one before it
    device: str  # "" where the cause has none
    fault: str = ""  # of lab/fault; the case's name if left out
    certainty: str = "proven"
    end: str = "dropped"  # or "lost": how the packets end that the fault hits
    lost: str | int = "all"  # "all", "some" (the others are delivered), or how many exactly
    families: list = field(default_factory=lambda: [4])  # of the tenants' addresses; the case runs once for each
    source: str = "vm1"
    to: str = "vm2"
    proto: str = "udp"
    port: int = 53
    size: int = 64  # bytes of payload
    count: int = 10  # packets sent, and packets to be coloured
    coloured: int = -1  # if it is not all of them
    rate: int = 0  # packets a second, 0: as fast as it goes
    send: list = field(default_factory=list)  # instead of lab-traffic udp-send; {dst} {src} {count} {port} {size} are filled in
    filter: str = ""  # instead of protocol, addresses and port; {src} {dst} {port} {ip} are filled in
    listen: bool = True  # somebody takes the datagrams at the destination's port
    all_arrive: bool = False  # nothing is lost in truth; what VTrace infers says so as a possibility
    meet: bool = True  # a ping before the fault, so that neighbours are known
    tap: bool = False  # vm7, the VM on a tap, runs
    seconds: int = 3  # trace_time
    lab: dict = field(default_factory=dict)  # options of lab/up
    what: str = ""  # for the table in the docs, if the fault's own words do not do


@dataclass
class Expect:
    """What one environment says of a case; regular expressions, searched for."""

    reason: str = ""
    site: str = ""
    evidence: str = ""
    next_step: str = ""
    skip: str = ""  # why the case cannot run here
    families: list = field(default_factory=lambda: [4, 6])  # of the case's


@dataclass
class Environment:
    name: str
    lab: str  # folder with up, down, exec and fault, used like those in lab/
    options: dict  # variables for lab/up
    agents: dict  # node: options of its agent
    expect: dict  # case: Expect
    devices: dict = field(default_factory=dict)  # "node device" of cases: what that is called here, where it is not the same
    elsewhere: list = field(default_factory=list)  # faults of this lab that other environments try

    def device(self, node, name):
        return self.devices.get(f"{node} {name}", name)


def load_cases():
    cases = {}
    for path in sorted((HERE / "cases").glob("*.toml")):
        for name, row in tomllib.loads(path.read_text()).items():
            assert name not in cases, f"{path}: {name} is there twice"
            cases[name] = Case(name=name, klass=row.pop("class"), **row)
    return cases


def load_environment(path=os.environ.get("VTRACE_ENVIRONMENT", HERE / "linux.toml")):
    """By default the one whose file VTRACE_ENVIRONMENT names, or the Linux datapath's."""
    path = pathlib.Path(path)
    data = tomllib.loads(path.read_text())
    data["expect"] = {name: Expect(**row) for name, row in data["expect"].items()}
    return Environment(name=path.stem, **data)
