# SPDX-License-Identifier: BSD-3-Clause
"""The evaluation's plots, by gnuplot, each as SVG and PNG."""

import shutil
import subprocess

from report import interval, spread

LABELS = {"no task": "no task", "ten tasks, zero match": r"10 tasks,\nno match", "every packet captured": "captured",
          "ten tasks, full match, 100 packets each gone through": r"10 tasks,\nall matched"}
HEAD = """set terminal {terminal}
set output '{file}'
set style data yerrorlines
set grid
set bmargin 4
set key top left opaque
"""
SETTINGS = """set title 'CPU time a packet, to the same without VTrace (median, its 95 % interval)'
set yrange [0:*]
set style data histograms
set style histogram errorbars gap 2 lw 1
set style fill solid 0.5
plot $d using 2:3:4:xtic(1) title 'vtrace-vfd', $d using 5:6:7 title 'Linux'
"""
TASKS = """set title 'CPU time a packet with tasks that match nothing, to none'
set xlabel 'tasks'
set logscale x
set yrange [0:2]
plot $vfd using 1:2:3:4 title 'vtrace-vfd', $linux using 1:2:3:4 title 'Linux'
"""
FLOWS = """set title 'vtrace-vfd: rate of one core, packets of 64 bytes (median, its 95 % interval)'
set xlabel 'flows'
set ylabel 'Mpps'
set logscale x
set key bottom left
set yrange [0:*]
plot $d using 1:2:3:4 title 'with VTrace, no task', $d using 1:5:6:7 title 'without VTrace'
"""


def installed():
    return shutil.which("gnuplot") is not None


def _cells(values):
    low, high = interval(values)
    return f"{spread(values)['median']:.6g} {low:.6g} {high:.6g}"


def _block(name, lines):
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def _draw(folder, name, data, script):
    for terminal, suffix in (("svg size 800,480", "svg"), ("png size 800,480", "png")):
        head = HEAD.format(terminal=terminal, file=folder / f"{name}.{suffix}")
        subprocess.run(["gnuplot"], input=head + data + script, text=True, check=True)


def draw(folder, raw):
    """settings, tasks and flows, from what evaluation.json holds; the files made."""
    ratios = raw["ratios"]
    _draw(folder, "settings", _block("d", [f'"{LABELS[name]}" {_cells(vfd)} {_cells(linux)}' for name, (vfd, linux) in ratios.items()]),
          SETTINGS)
    _draw(folder, "tasks", "".join(_block(side, [f"{n} {_cells(row['ratio'])}" for n, row in raw["tasks"][side].items()])
                                   for side in ("vfd", "linux")), TASKS)
    _draw(folder, "flows", _block("d", [f"{n} {_cells([1e3 / ns for ns in row['ns']])} {_cells([1e3 / ns for ns in row['without_ns']])}"
                                        for n, row in raw["flows"].items()]), FLOWS)
    return [f"{name}.{suffix}" for name in ("settings", "tasks", "flows") for suffix in ("svg", "png")]
