# SPDX-License-Identifier: BSD-3-Clause
"""What must hold for results: for every one, for healthy traffic, and for a loss with one cause."""

import functools
import json
import subprocess

from programs import vtrace_path

ENDS = ("delivered", "dropped", "lost", "unfinished")
CLASSES = (
    "rate-limit", "security-policy", "tenant-config", "unsupported", "unknown", "infrastructure", "host-resource",
    "endpoint", "malformed",
)


def show(result):
    return json.dumps(result, indent=1)


@functools.cache
def classes():
    """code: class, as `vtrace explain` has them."""
    said = subprocess.run([vtrace_path(), "explain", "--json"], capture_output=True, check=True).stdout
    return {cause["code"]: cause["class"] for cause in json.loads(said)}


def check_result(result):
    """What the contract says of every result that is done."""
    packets = result["packets"]
    assert result["state"] == "done", show(result)
    assert result["error"] is None, show(result)
    assert result["created"].endswith("Z") and result["finished"].endswith("Z"), show(result)
    assert sum(packets[end] for end in ENDS) == packets["coloured"], show(result)
    assert sum(path["packets"] for path in result["paths"]) == packets["coloured"], show(result)
    assert result["verdict"] == (result["causes"][0] if result["causes"] else None), show(result)
    assert set(result["records"]) >= {"received", "missing"}, show(result)
    for cause in result["causes"]:
        check_cause(cause, result)
    for path in result["paths"]:
        check_path(path, result)


def check_cause(cause, result):
    assert cause["class"] in CLASSES and cause["class"] == classes()[cause["code"]], show(cause)
    assert cause["certainty"] in ("proven", "inferred"), show(cause)
    assert cause["direction"] in ("forward", "reverse"), show(cause)
    assert 0 < cause["packets"] <= result["packets"]["coloured"], show(cause)
    for line in ("evidence", "next_step"):
        assert cause[line] and "\n" not in cause[line], show(cause)


def check_path(path, result):
    hops = [hop["hop"] for hop in path["hops"]]
    assert path["end"] in ENDS and path["packets"] > 0, show(path)
    if path["end"] != "unfinished":
        assert hops == list(range(1, len(hops) + 1)), show(path)
    if path["cause"] is not None:
        assert 0 <= path["cause"] < len(result["causes"]), show(path)


def hops_of(path):
    """A path in short: [("a", "vm1", "eth0"), ("b", "eth0", "vm2")]; None where a point is missing."""
    return [
        (hop["node"], (hop.get("in") or {}).get("device"), (hop.get("out") or {}).get("device")) for hop in path["hops"]
    ]


def check_healthy(result, coloured, *routes):
    """All delivered, nothing blamed, and the paths are exactly these routes (in any order)."""
    packets = result["packets"]
    if coloured is not None:
        assert packets["coloured"] == coloured, show(result)
    assert packets["coloured"] > 0 and packets["delivered"] == packets["coloured"], show(result)
    assert result["causes"] == [] and result["verdict"] is None, show(result)
    assert result["records"]["missing"] == 0, show(result)
    assert result["nodes"]["failed"] == [], show(result)
    if routes:
        assert sorted({tuple(hops_of(path)) for path in result["paths"]}) == sorted(map(tuple, routes)), show(result)


def check_loss(result, lost, node, codes, end="dropped"):
    """One cause, on the right node, with all that got lost; nobody else blamed."""
    packets = result["packets"]
    assert len(result["causes"]) == 1, show(result)
    verdict = result["verdict"]
    assert verdict["code"] in codes, show(result)
    assert verdict["node"] == node, show(result)
    if lost is not None:
        assert packets[end] == lost and verdict["packets"] == lost, show(result)
    assert packets[end] > 0 and packets[end] == verdict["packets"], show(result)
    assert packets["unfinished"] == 0, show(result)
    if end == "dropped":
        assert verdict["certainty"] == "proven", show(result)
