# SPDX-License-Identifier: BSD-3-Clause
"""bench/evaluate --quick: every row and file of the evaluation is there. Its times are nobody's business here."""

import json
import os
import shutil
import subprocess

import pytest

from device import ROOT, VFD

ROWS = [
    "rate of one core, without VTrace", "rate of one core, no task", "CPU a packet, without VTrace",
    *(f"{what}, {setting}" for what in ("CPU a packet", "ratio to without VTrace") for setting in (
        "no task", "ten tasks, zero match", "ten tasks, full match, 100 packets each gone through", "every packet captured")),
    "configuring: task to coloured", "packets lost, out of order while it is armed at full rate",
    *(f"{n} tasks, no match: ratio to without" for n in (1, 10, 100)),
    *(f"{n} flows: rate of one core" for n in (1000, 65536)),
    "a VM's rate beside a VM that sends 1000 flows, to alone",
    "a VM's rate beside a VM that begins a flow with each packet, to alone",
    "a record in the device", "a record in the analysis", "a 3-hop trajectory in the analysis",
]


@pytest.mark.skipif(not VFD.exists() or os.geteuid() != 0, reason="needs build/vfd/vtrace-vfd (libdpdk-dev) and root")
def test_quick(tmp_path):
    done = subprocess.run([ROOT / "bench/evaluate", "--quick", "--markdown", "--out", tmp_path], capture_output=True, text=True,
                          check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    cells = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("|")]
    assert [row[0].strip() for row in cells[2:]] == ROWS
    assert all(len(row) == 5 and row[1].strip() for row in cells[2:])

    raw = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert [row[0] for row in raw["table"][1:]] == ROWS
    assert all(len(pair) == 2 and min(map(min, pair)) > 0 for pair in raw["ratios"].values())
    arming = raw["arming"]["vfd"]
    assert sum(a["sent"] for a in arming) > 0 and not any(a["lost"] or a["overtaken"] for a in arming), arming
    assert all(row["lost"] == 0 for row in raw["flows"].values()), "every flow found its entry"
    files = [f"{name}.{suffix}" for name in ("settings", "tasks", "flows") for suffix in ("svg", "png")]
    if shutil.which("gnuplot"):
        assert all((tmp_path / name).stat().st_size > 1000 for name in files)
    else:
        assert "install gnuplot-nox" in done.stderr
