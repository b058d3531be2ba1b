# SPDX-License-Identifier: BSD-3-Clause
"""Writes docs/faults.md: each fault, what the kernel's own drop event says of it, and what VTrace says."""

import pathlib

HEAD = """# Faults, as the kernel tells them and as VTrace does

Written by `make faults-doc` from a run of the conformance suite (`tests/conformance/`), one row a case, in the case's own words;
nothing here is typed by hand. *kfree_skb alone* is what the kernel's drop event has: a reason and a place in its code. Where it
says nothing, no drop event carried the packet.

"""


def cell(text):
    return (text or "").replace("|", "\\|").replace("\n", " ")


class FaultsDoc:
    def __init__(self, cases):
        self.order = list(cases)
        self.rows = {}

    def add(self, case, family, fault, verdict):
        if family != case.families[0]:
            return
        place = f"{verdict['node']} {verdict['device'] or ''}".strip()
        event = f"`{verdict['reason']}` at `{(verdict['site'] or '').split('+')[0]}`" if verdict["site"] else "nothing"
        self.rows[case.name] = (
            case.what or fault["what"], event, f"**{verdict['code']}** ({verdict['certainty']}) on {place}: {verdict['evidence']}",
        )

    def write(self, path):
        lines = ["| what is broken | kfree_skb alone | VTrace |", "| --- | --- | --- |"]
        lines += ["| " + " | ".join(map(cell, self.rows[name])) + " |" for name in self.order if name in self.rows]
        pathlib.Path(path).write_text(HEAD + "\n".join(lines) + "\n")
