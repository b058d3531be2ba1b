# SPDX-License-Identifier: BSD-3-Clause
"""Statistics, and the table that is printed at the end."""

import os
import platform
import statistics


PAIRS_MIN = 6  # below it the range of all values is no 95 % interval of the median


def quantile(values, q):
    """Nearest rank: a value that was measured, never one in between."""
    values = sorted(values)
    return values[min(len(values) - 1, max(0, round(q * (len(values) - 1))))]


def interval(values):
    """Distribution-free 95 % interval of the median (binomial ranks); all values where there are fewer than six."""
    values = sorted(values)
    n = len(values)
    k = int((n - 1.96 * n**0.5) / 2)
    return (values[k], values[n - 1 - k]) if n >= PAIRS_MIN else (values[0], values[-1])


def spread(values):
    return {"n": len(values), "median": statistics.median(values), "p10": quantile(values, 0.1),
            "p90": quantile(values, 0.9), "p99": quantile(values, 0.99), "values": list(values)}


def judge(ok, noise=False):
    return "cannot be told from noise" if noise else "met" if ok else "MISSED"


def judge_ratio(ratios, limit, disturbed):
    """A limit is missed only where all of the interval is above it, and met only where all of it is below."""
    if disturbed:
        return "disturbed, cannot be told"
    if len(ratios) < PAIRS_MIN:
        return "too few pairs to tell"
    low, high = interval(ratios)
    return judge(high <= limit, noise=low <= limit < high)


class Table:
    def __init__(self):
        self.rows = []

    def section(self, title):
        self.rows.append((title,))

    def row(self, what, value, detail="", target="", verdict=""):
        self.rows.append((what, value, detail, target, verdict))

    def ratio(self, what, ratios, limit=None, disturbed=0, lost=0):
        low, high = interval(ratios)
        s = spread(ratios)
        if limit:
            verdict = judge_ratio(ratios, limit, disturbed)
        else:
            verdict = "as without, within noise" if low <= 1 <= high else ""
        notes = (f", {disturbed} disturbed" if disturbed else "") + (f", {lost} packets lost" if lost else "")
        self.row(what, f"{s['median']:.3f}", f"p10-p90 {s['p10']:.3f}-{s['p90']:.3f}, median within {low:.3f}-{high:.3f}, "
                 f"{len(ratios)} pairs{notes}", f"<= {limit:.2f}" if limit else "", verdict)

    def times(self, what, ms, limit=None, late=0):
        s = spread(ms)
        self.row(what, f"p50 {s['median']:.1f} ms", f"p99 {s['p99']:.1f} ms, p10-p90 {s['p10']:.1f}-{s['p90']:.1f} ms, "
                 f"{len(ms)} traces" + (f", {late} without a node that was late" if late else ""),
                 f"< {limit} ms" if limit else "", judge(s["p99"] < limit) if limit else "")

    def text(self):
        rows = [r for r in self.rows if len(r) > 1]
        widths = [max((len(r[i]) for r in rows), default=0) for i in range(5)]
        lines = []
        for r in self.rows:
            cells = "  ".join(cell.ljust(width) for cell, width in zip(r, widths)) if len(r) > 1 else f"\n{r[0]}"
            lines.append(cells.rstrip())
        return "\n".join(lines)


def machine():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
    with open("/proc/meminfo", encoding="ascii") as f:
        memory = int(f.readline().split()[1])
    return {"kernel": platform.release(), "cpu": model, "cores": os.cpu_count(), "memory_mib": memory // 1024,
            "load": os.getloadavg()[0]}
