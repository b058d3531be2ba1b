# SPDX-License-Identifier: BSD-3-Clause
"""One case a fault, each in a fresh lab: class, code, node, device, evidence, counts and certainty of the verdict.

VTRACE_ENVIRONMENT=FILE runs the cases on another datapath (case.py says what such a file holds). VTRACE_FAULTS_DOC=FILE
writes the table of docs/faults.md from what was seen.
"""

import json
import os
import re
import subprocess
import time

import pytest

from case import ADDRESSES, HERE, load_cases, load_environment
from checks import show
from faults_doc import FaultsDoc
from lab import ROOT, Lab, System, counts, traffic_path

QUEUE_S = 5  # a packet of 1000 bytes through the slowest shaper of the cases (8 kbit/s) takes one
CASES = load_cases()
ENV = load_environment()
FAULTS = {
    f["name"]: f
    for f in json.loads(
        subprocess.run(
            [str(ROOT / ENV.lab / "fault"), "--list", "--json"], capture_output=True, check=True, env={**os.environ, **ENV.options}
        ).stdout
    )
}
RUNS = [
    pytest.param(case, family, id=case.name + ("-ip6" if family == 6 else ""))
    for case in CASES.values() if case.name in ENV.expect
    for family in case.families if family in ENV.expect[case.name].families
]


@pytest.fixture(scope="module")
def doc():
    made = FaultsDoc(CASES)
    yield made
    if os.environ.get("VTRACE_FAULTS_DOC"):
        made.write(os.environ["VTRACE_FAULTS_DOC"])


def test_faults_and_cases_agree():
    """Every fault of the lab has a case here, or is another environment's to try, and says the same as its case."""
    assert set(ENV.expect) <= set(CASES)
    cases = [case for case in CASES.values() if case.name in ENV.expect]
    used = {case.fault or case.name for case in cases}
    assert used | set(ENV.elsewhere) == set(FAULTS) and not used & set(ENV.elsewhere)
    for case in cases:
        fault = FAULTS[case.fault or case.name]
        if case.name == fault["name"]:
            assert (case.node, case.code) == (fault["node"], fault["code"]), case.name


def test_every_case_has_an_environment():
    assert set(CASES) == {name for path in HERE.glob("*.toml") for name in load_environment(path).expect}


def words(case, family):
    ends = {"src": ADDRESSES[case.source][family], "dst": ADDRESSES[case.to][family]}
    numbers = {"port": case.port, "count": case.count, "size": case.size}
    return {**ends, **numbers, "traffic": traffic_path(), "ip": "ip6" if family == 6 else "ip"}


def flow_filter(case, family):
    if case.filter:
        return case.filter.format(**words(case, family))
    port = f" and dst port {case.port}" if case.proto in ("udp", "tcp", "sctp") else ""
    return "{proto} and src host {src} and dst host {dst}".format(proto=case.proto, **words(case, family)) + port


def send(lab, case, family):
    if case.send:
        if case.listen and any("udp-send" in word for word in case.send):
            lab.absorb(ADDRESSES[case.to][family], case.port)
        lab.run(case.source, *[word.format(**words(case, family)) for word in case.send], check=False)
        return
    lab.traffic(
        case.source, "udp-send", ADDRESSES[case.to][family], case.port, "-c", case.count, "-s", case.size, "-r", case.rate,
        check=False, absorb=case.listen,
    )


def check_counts(case, packets, verdict):
    assert packets["coloured"] == (case.count if case.coloured < 0 else case.coloured)
    assert packets["unfinished"] == 0
    assert packets[case.end] == verdict["packets"] > 0
    if case.lost == "some":
        assert 0 < packets[case.end] < packets["coloured"]
    else:
        assert packets[case.end] == (packets["coloured"] if case.lost == "all" else case.lost)
    assert packets["delivered"] == packets["coloured"] - packets[case.end]


def check_verdict(case, expect, result):
    verdict = result["verdict"]
    assert len(result["causes"]) == 1, "nobody else is blamed"
    assert (verdict["class"], verdict["code"]) == (case.klass, case.code)
    assert (verdict["node"], verdict["device"]) == (case.node, ENV.device(case.node, case.device))
    assert verdict["certainty"] == case.certainty
    assert verdict["direction"] == "forward"
    check_counts(case, result["packets"], verdict)
    for name in ("reason", "site", "evidence", "next_step"):
        pattern = getattr(expect, name)
        assert re.search(pattern, verdict[name] or ""), f"{name}: /{pattern}/ is not in: {verdict[name]}"


@pytest.mark.parametrize("case,family", RUNS)
def test_case(case, family, doc):
    expect = ENV.expect[case.name]
    if expect.skip:
        pytest.skip(expect.skip)
    lab = Lab(folder=ENV.lab, **ENV.options, **case.lab)
    try:
        system = System(lab, ENV.agents)
        try:
            run_case(lab, system, case, family, expect, doc)
        finally:
            wrong = system.stop()
        assert wrong == []
    finally:
        lab.down()


def wait_received(lab, case, number):
    """Until the receiver's host has taken so many datagrams: what was delivered may still wait in a shaper's queue."""
    deadline = time.monotonic() + QUEUE_S
    while time.monotonic() < deadline:
        seen = lab.run(case.to, "nstat", "-asz", "UdpInDatagrams", "Udp6InDatagrams").stdout
        if sum(int(n) for n in re.findall(r"^Udp6?InDatagrams +(\d+)", seen, re.M)) >= number:
            return


def check_truth(lab, case, family, result):
    """What arrived is what VTrace calls delivered; and the fault, mended, lets a packet through."""
    sink = lab.listening.get((case.to, case.port))
    if not sink:
        return
    arrived = case.count if case.all_arrive else result["packets"]["delivered"]
    wait_received(lab, case, arrived)
    lab.fault(case.fault or case.name, "off")
    # -w: also past a neighbour entry that has to be asked for again
    lab.run(case.source, "ping", "-c1", "-w5", ADDRESSES[case.to][family])
    lab.send_udp(case.source, ADDRESSES[case.to][family], case.port, 1, seed=9)
    wait_received(lab, case, arrived + 1)
    sink.stop()
    got = counts(sink.output())
    assert got["received"] == arrived + 1, f"{got}: the fault is not mended, or delivered is wrong"


def run_case(lab, system, case, family, expect, doc):
    if case.tap:
        lab.tap_vm()
    if case.meet:
        lab.meet(case.source, ADDRESSES[case.to][family])
    lab.fault(case.fault or case.name)
    result = system.trace(
        flow_filter(case, family), lambda: send(lab, case, family),
        count=case.count if case.coloured < 0 else case.coloured, seconds=case.seconds,
    )
    try:
        assert result["verdict"], "nothing was lost"
        check_verdict(case, expect, result)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{show(result)}\n{system.logs()}") from error
    check_truth(lab, case, family, result)
    doc.add(case, family, FAULTS[case.fault or case.name], result["verdict"])
