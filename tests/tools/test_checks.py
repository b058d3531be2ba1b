# SPDX-License-Identifier: BSD-3-Clause
"""The checks of tools/ find what they are there to find: each is shown a tree or a machine that is wrong."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(tool, *args, **env):
    return subprocess.run(
        [str(ROOT / "tools" / tool), *map(str, args)], capture_output=True, text=True, env={**os.environ, **env}, check=False
    )


@pytest.fixture
def tree(tmp_path):
    """A small tree that keeps the rules; returns a function that adds a file to it."""
    shutil.copy(ROOT / "ARCHITECTURE.md", tmp_path)

    def add(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return tmp_path

    add("src/core/task.c", '/* SPDX-License-Identifier: BSD-3-Clause */\n#include "base/err.h"\n#include "core/task.h"\n')
    return add


@pytest.mark.parametrize(
    "path, include",
    [
        ("src/core/a.c", "analysis/analysis.h"),
        ("src/base/a.c", "core/task.h"),
        ("src/analysis/a.c", "server/store.h"),
        ("src/analysis/a.c", "datapath/datapath.h"),
        ("src/agent/deep/a.h", "datapath/linux/linux.h"),
        ("src/datapath/linux/a.c", "datapath/fake/fake.h"),
        ("src/datapath/linux/a.c", "agent/uplink.h"),
        ("src/client/a.c", "cli/command.h"),
        ("src/server/a.c", "agent/agent.h"),
        ("src/cli/result.c", "analysis/analysis.h"),
        ("src/core/a.c", "task.h"),
        ("src/unknown/a.c", "base/err.h"),
    ],
)
def test_forbidden_include_is_found(tree, path, include):
    done = run("check-includes", tree(path, f'#include "{include}"\n'))
    assert done.returncode == 1, done
    assert path.split("/")[1] in done.stdout and done.stdout.count("\n") >= 1


@pytest.mark.parametrize(
    "path, include",
    [
        ("src/agent/a.c", "datapath/datapath.h"),
        ("src/datapath/linux/a.c", "datapath/linux/inspect/inspect.h"),
        ("src/server/a.c", "analysis/analysis.h"),
        ("src/cli/run.c", "analysis/analysis.h"),
        ("src/main.c", "datapath/fake/fake.h"),
    ],
)
def test_allowed_include_passes(tree, path, include):
    done = run("check-includes", tree(path, f'#include "{include}"\n'))
    assert (done.returncode, done.stdout) == (0, "")


def test_a_table_that_is_gone_is_an_error(tree):
    done = run("check-includes", tree("ARCHITECTURE.md", "no table\n"))
    assert done.returncode != 0 and "no table" in done.stderr


SPDX = "/* SPDX-License-Identifier: BSD-3-Clause */\n"


@pytest.mark.parametrize(
    "path, text, finding",
    [
        ("src/core/a.c", "int a;\n", "SPDX"),
        ("src/core/a.c", SPDX + "int a; \n", "blanks"),
        ("src/core/a.c", SPDX + "int  a;\n", "not formatted"),
        ("src/core/a.c", SPDX + "int a;\n" * 600, "more than 600"),
        ("lab/a", "#!/bin/bash\n# SPDX-License-Identifier: BSD-3-Clause\necho $1\n", "SC2086"),
        ("tests/a.py", "print(1)\n", "SPDX"),
        ("docs/a.md", "text \n", "blanks"),
    ],
)
def test_style_finding(tree, path, text, finding):
    done = run("check-style", tree(path, text))
    assert done.returncode == 1 and finding in done.stdout, done
    assert path in done.stdout


def test_style_passes_a_clean_tree(tree):
    done = run("check-style", tree("lab/a", "#!/bin/bash\n# SPDX-License-Identifier: BSD-3-Clause\necho \"$1\"\n"))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture
def machine(tmp_path):
    """The files of a machine on which everything is there."""
    for path, text in {"etc/os-release": "ID=debian\n", "sys/kernel/btf/vmlinux": "", "usr/bin/sudo": ""}.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    return tmp_path


def test_good_machine_passes(machine):
    done = run("check-machine", CHECK_ROOT=str(machine), CHECK_KERNEL="6.1.0-18-amd64", CHECK_UID="1000")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_devices_in_user_space_need_no_root(machine):
    (machine / "usr/bin/sudo").unlink()
    (machine / "sys/kernel/btf/vmlinux").unlink()
    done = run("check-machine", "vfd", CHECK_ROOT=str(machine), CHECK_KERNEL="6.1.0-18-amd64", CHECK_UID="1000")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "gone, env, says",
    [
        ("sys/kernel/btf/vmlinux", {}, "BTF"),
        ("etc/os-release", {}, "not Debian"),
        ("usr/bin/sudo", {"CHECK_UID": "1000"}, "not root"),
        (None, {"CHECK_KERNEL": "5.16.12"}, "older than 5.17"),
        (None, {"CHECK_KERNEL": "4.19.0-26"}, "older than 5.17"),
    ],
)
def test_machine_that_lacks_something_gets_one_line(machine, gone, env, says):
    if gone:
        (machine / gone).unlink()
    done = run("check-machine", **{"CHECK_ROOT": str(machine), "CHECK_KERNEL": "6.1.0", "CHECK_UID": "0", **env})
    assert done.returncode == 1 and says in done.stderr and done.stderr.count("\n") == 1
