# SPDX-License-Identifier: BSD-3-Clause
"""The example of a forwarding device with libvdg inside, traced by a real agent. Needs neither root nor a lab."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
VTRACE = os.environ.get("VTRACE", ROOT / "build/src/vtrace")
EMBED = ROOT / "build/examples/embed"
LIMIT = 30  # seconds, for what takes one


@contextlib.contextmanager
def device(path):
    with subprocess.Popen([EMBED, path], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == f"ready: {path}\n"
            yield process
        finally:
            process.terminate()
            process.wait(LIMIT)


def run(path, *args):
    argv = [VTRACE, "run", "--json", "--datapath", f"vfd:{path}", "--time", "10", *args]
    return subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT, check=False)


def result(path, *args):
    done = run(path, *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_dropped_by_its_rule(tmp_path):
    path = tmp_path / "toy.sock"
    with device(path):
        got = result(path, "udp and dst port 23", "--count", "7")
    assert got["packets"] == {"coloured": 7, "delivered": 0, "dropped": 7, "lost": 0, "unfinished": 0, "ambiguous": 0}
    assert got["records"] == {"received": 14, "missing": 0}
    verdict = got["verdict"]
    assert (verdict["class"], verdict["code"], verdict["certainty"]) == ("security-policy", "policy-acl-rule", "proven")
    assert (verdict["node"], verdict["device"], verdict["packets"]) == (got["paths"][0]["hops"][0]["node"], "in0", 7)
    assert (verdict["reason"], verdict["site"]) == ("ACL_DENY", "embed.c:flow_make")
    assert verdict["evidence"] == "rule 1: deny udp any any eq 23"


def test_delivered(tmp_path):
    path = tmp_path / "toy.sock"
    with device(path):
        got = result(path, "udp and dst port 53", "--count", "7")
    assert (got["packets"]["coloured"], got["packets"]["delivered"], got["causes"]) == (7, 7, [])
    hop = got["paths"][0]["hops"][0]
    assert (hop["in"]["device"], hop["out"]["device"]) == ("in0", "out0")


def test_one_after_the_other(tmp_path):
    """A trace leaves nothing behind for the next one, and agents come and go."""
    path = tmp_path / "toy.sock"
    with device(path):
        for _ in range(3):
            assert result(path, "udp and dst port 23", "--count", "3")["packets"]["dropped"] == 3
            assert result(path, "udp", "--count", "4")["packets"] == {
                "coloured": 4, "delivered": 2, "dropped": 2, "lost": 0, "unfinished": 0, "ambiguous": 0}
    assert not path.exists()


def test_device_dies(tmp_path):
    """The agent says so, and ends."""
    path = tmp_path / "toy.sock"
    with device(path) as process:
        argv = [VTRACE, "run", "--datapath", f"vfd:{path}", "udp and dst port 9"]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as agent:
            try:
                wait_for_agent(path)
                process.send_signal(signal.SIGKILL)
                _, errors = agent.communicate(timeout=LIMIT)
            finally:
                agent.kill()
    assert agent.returncode == 1, errors
    assert f"the forwarding device at {path} is gone" in errors


def wait_for_agent(path):
    """Until the device has greeted its agent: it is in the kernel's table, and a second one is refused."""
    end = time.monotonic() + LIMIT
    while not re.search(rf" 03 +\d+ {re.escape(str(path))}$", pathlib.Path("/proc/net/unix").read_text(), re.MULTILINE):
        assert time.monotonic() < end, "the agent did not come"
    done = run(path, "udp")
    assert done.returncode == 1
    assert "another agent uses this forwarding device (process " in done.stderr


@pytest.mark.parametrize(
    "spec, words",
    [
        ("vfd", "which forwarding device? (say vfd:SOCKET"),
        ("vfd:/nowhere/toy.sock", "no forwarding device at /nowhere/toy.sock: there is no such socket"),
    ],
)
def test_no_device(spec, words):
    done = subprocess.run([VTRACE, "run", "--datapath", spec, "udp"], capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
