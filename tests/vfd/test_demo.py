# SPDX-License-Identifier: BSD-3-Clause
"""The demo with devices in user space: as an ordinary user, two at once, and nothing stays, however it ends."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from device import ROOT, wait_for

NOBODY = 65534


@pytest.fixture
def stage(tmp_path):
    """Starts demos whose folders lie in `temp`, which others than root can enter, unlike pytest's."""
    temp = pathlib.Path(tempfile.mkdtemp(prefix="vfd-demo"))
    temp.chmod(0o777)
    started = []

    def start(**env):
        as_user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        clean = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_RUNTIME_DIR", "VTRACE_SERVER")}
        log = tmp_path / f"{len(started)}.log"
        with log.open("w") as out:
            started.append(subprocess.Popen(
                [ROOT / "demo/vfd"], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd="/",
                env={**clean, "TMPDIR": str(temp), **env}, **as_user))
        return started[-1], log

    start.temp = temp
    yield start
    for demo in started:
        if demo.poll() is None:
            demo.send_signal(signal.SIGTERM)
            demo.wait(timeout=20)
    shutil.rmtree(temp)


def living(temp):
    """Processes that have a word with the folder in it in their command lines."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(temp).encode() in path.read_bytes():
                found.append(path)
        except OSError:
            pass  # it has just ended
    return found


def gone(temp):
    return not living(temp) and not list(temp.iterdir())


def test_two_at_once(stage):
    """Both have all verdicts right, without privileges and without a home."""
    demos = [stage(), stage()]
    for demo, log in demos:
        assert demo.wait(timeout=60) == 0, log.read_text()
        assert log.read_text().splitlines()[-1].startswith("All five verdicts are right"), log.read_text()
    assert gone(stage.temp), (living(stage.temp), list(stage.temp.iterdir()))


@pytest.mark.parametrize("sig, status", [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["term", "hup"])
def test_nothing_stays(stage, sig, status):
    demo, log = stage()
    wait_for("the first scene", lambda: "== 1." in log.read_text())
    assert len(living(stage.temp)) >= 7  # traffic, three devices, three agents, the server
    demo.send_signal(sig)
    assert demo.wait(timeout=10) == status, log.read_text()
    assert gone(stage.temp), (living(stage.temp), list(stage.temp.iterdir()))


def test_no_process_stays_behind_a_killed_one(stage):
    demo, log = stage()
    wait_for("the first scene", lambda: "== 1." in log.read_text())
    demo.kill()
    demo.wait()
    wait_for("the end of its processes", lambda: not living(stage.temp))


def test_a_wrong_verdict_is_told(stage):
    """A vtrace that calls each cause by another name: the demo notices, and fails."""
    liar = stage.temp / "vtrace"
    liar.write_text(f"#!/bin/sh\ncase $1 in result) {ROOT}/build/src/vtrace \"$@\" | sed s/vni-unknown/vni-missing/ ;;"
                    f" *) exec {ROOT}/build/src/vtrace \"$@\" ;; esac\n")
    liar.chmod(0o755)
    demo, log = stage(VTRACE=str(liar))
    assert demo.wait(timeout=60) == 1, log.read_text()
    said = log.read_text()
    assert said.count("WRONG: ") == 1 and said.splitlines()[-1] == "1 of the checks failed.", said


def choose(*words, **env):
    return subprocess.run([ROOT / "demo/choose", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          env={"PATH": "/nowhere:/usr/bin:/bin", **env})


def test_choice(tmp_path):
    """Root gets the kernel's; others without a terminal, one line that says what they can run; a word decides."""
    sudo = tmp_path / "sudo"
    sudo.write_text("#!/bin/sh\nexit 1\n")
    sudo.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    assert choose(CHOOSE_UID="0").stdout == "demo/demo\n"
    assert choose("vfd", CHOOSE_UID="1000").stdout == "demo/vfd\n"
    done = choose(CHOOSE_UID="1000", PATH=path)
    assert (done.returncode, done.stdout) == (1, "") and "make demo DATAPATH=vfd" in done.stderr
    assert done.stderr.count("\n") == 1
    sudo.write_text("#!/bin/sh\nexit 0\n")
    assert choose(CHOOSE_UID="1000", PATH=path).stdout == "demo/demo\n"
    assert choose("ovs").returncode == 2
