# SPDX-License-Identifier: BSD-3-Clause
"""The command line and libvtrace: usage errors, help and completions without a server; against a server that misbehaves on
purpose (a scripted one, as no real one would do that); and against the real one, with agents that replay records.
"""

import concurrent.futures
import contextlib
import ctypes
import http.server
import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import threading

import pytest

from lab import ROOT, Proc, vtrace_path
from programs import program

COMMANDS = ["run", "add", "result", "list", "cancel", "nodes", "stats", "explain", "analyze", "agent", "server", "completion"]
ONLINE = {"add": ["udp"], "result": ["1"], "list": [], "cancel": ["1"], "nodes": [], "stats": []}
RECORDS = ROOT / "tests/golden/drop-nft-rule/records.jsonl"
FILTER = "udp and src host 10.0.0.1 and dst port 53"


def vtrace(*argv, env=None, stdin=""):
    env = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    return subprocess.run([vtrace_path(), *argv], capture_output=True, text=True, timeout=60, env=env, input=stdin)


def fails(status, *argv, env=None, says=()):
    """The command must fail with one line on stderr that holds all of `says`, and print nothing else."""
    done = vtrace(*argv, env=env)
    assert done.returncode == status, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done.stderr
    assert done.stderr.startswith("vtrace")
    for text in says:
        assert text in done.stderr
    return done.stderr


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# --- usage, help, completion: no server ---------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_option(command):
    fails(2, command, "--no-such-option", says=[f"vtrace {command}: unknown option --no-such-option"])


@pytest.mark.parametrize("argv, says", [
    ([], "which command?"),
    (["ad", "udp"], "did you mean add?"),
    (["frobnicate"], "vtrace --help"),
    (["--cuont"], "a command comes first"),
    (["help", "resutl"], "did you mean result?"),
    (["add"], "FILTER is missing"),
    (["add", "udp", "--cuont", "3"], "did you mean --count?"),
    (["add", "udp", "--bidir"], "did you mean --bidirectional?"),
    (["add", "udp", "--count"], "--count needs a value"),
    (["add", "udp", "--count", "0"], "from 1 to 100000"),
    (["add", "udp", "--count", "100001"], "from 1 to 100000"),
    (["add", "udp", "--count", "-5"], "from 1 to 100000"),
    (["add", "udp", "--count=1e3"], "from 1 to 100000"),
    (["add", "udp", "--count", "18446744073709551617"], "from 1 to 100000"),
    (["add", "udp", "--time", "0"], "seconds from 0.001 to 3600"),
    (["add", "udp", "--time", "inf"], "seconds from"),
    (["add", "udp", "--time", "3601"], "seconds from"),
    (["add", "udp", "--time", "5m"], "seconds from"),
    (["add", "udp", "--wait=yes"], "takes no value"),
    (["add", "udp", "or", "tcp"], "column 5"),
    (["add", "host", "10.0.0.1"], "host"),
    (["add", " "], "vtrace add:"),
    (["add", "udp", *["and udp"] * 200], "vtrace add:"),
    (["result", "src", "host", "10.0.0.300"], "vtrace result:"),
    (["result"], "ID|FILTER is missing"),
    (["cancel", "1", "2"], "too many arguments"),
    (["nodes", "all"], "takes no arguments"),
    (["list", "--state", "dnoe"], "did you mean done?"),
    (["list", "--limit", "0"], "from 1 to 1000"),
    (["explain", "fdb-mising"], "did you mean fdb-missing?"),
    (["completion", "fish"], "bash or zsh"),
    (["add", "udp", "--server", "127.0.0.1:8471"], "http://HOST:PORT"),
    (["add", "udp", "--server", "ftp://127.0.0.1"], "http://HOST:PORT"),
    (["add", "udp", "--server", ""], "http://HOST:PORT"),
    (["agent", "--datapath", "toaster"], "toaster"),
    (["agent", "--kind", "toaster"], "toaster"),
    (["run", "udp", "--datapath", "toaster"], "toaster"),
    (["analyze"], "FILE is missing"),
])
def test_usage(argv, says):
    fails(2, *argv, says=[says])


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command):
    by_option, by_command = vtrace(command, "--help"), vtrace("help", command)
    assert by_option.returncode == by_command.returncode == 0
    assert by_option.stdout == by_command.stdout and by_option.stderr == ""
    assert by_option.stdout.startswith(f"usage: vtrace {command}")
    assert max(map(len, by_option.stdout.splitlines())) <= 120
    # --help counts whatever else is wrong with the line
    assert vtrace(command, "--no-such-option", "--help").stdout == by_option.stdout


def test_help_names_all_commands():
    text = vtrace("--help").stdout
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", text, re.M)
    assert vtrace("help").stdout == text
    assert re.fullmatch(r"vtrace \d+\.\d+\.\d+\n", vtrace("--version").stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_man_page_has_all_options(command):
    page = (ROOT / "docs/man" / f"vtrace-{command}.1").read_text()
    options = re.findall(r"^  (?:-\w, |    )--([\w-]+)", vtrace("help", command).stdout, re.M)
    assert "help" in options
    for option in options:
        assert option == "help" or f"Fl -{option}" in page, option
    assert command in (ROOT / "docs/man/vtrace.1").read_text()


@pytest.mark.parametrize("page", sorted((ROOT / "docs/man").glob("*.1")), ids=lambda page: page.name)
def test_man_page_has_no_warnings(page):
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(page)], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}, timeout=60)
    assert done.returncode == 0 and done.stderr == ""
    assert "EXIT STATUS" in re.sub(r"\x1b\[[\d;]*m|.\x08", "", done.stdout)


def test_explain():
    table = json.loads(vtrace("explain", "--json").stdout)
    assert {"policy-nft-rule", "fdb-missing", "route-missing", "unexplained"} <= {row["code"] for row in table}
    for row in table:
        assert set(row) == {"code", "class", "meaning", "evidence", "next_step"} and all(row.values())
        assert "%" not in row["next_step"].replace("100 %", "")
        assert json.loads(vtrace("explain", "--json", row["code"]).stdout) == row
    text = vtrace("explain", "fdb-missing").stdout
    assert text.splitlines()[0] == "fdb-missing" and "class      infrastructure" in text
    assert len(vtrace("explain").stdout.splitlines()) == len(table)


def bash_complete(tmp_path, *words):
    script = tmp_path / "vtrace.bash"
    script.write_text(vtrace("completion", "bash").stdout)
    quoted = " ".join(f"'{w}'" for w in words)
    code = f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _vtrace; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-u", "-c", code], capture_output=True, text=True, timeout=30, cwd=tmp_path)
    assert done.stderr == "" and done.returncode == 0
    return set(done.stdout.split())


def test_completion_bash(tmp_path):
    (tmp_path / "token").write_text("x\n")
    assert set(COMMANDS) <= bash_complete(tmp_path, "vtrace", "")
    assert bash_complete(tmp_path, "vtrace", "add", "--bid") == {"--bidirectional"}
    assert bash_complete(tmp_path, "vtrace", "add", "ud") == {"udp"}
    assert bash_complete(tmp_path, "vtrace", "agent", "--kind", "vr") == {"vrouter"}
    assert bash_complete(tmp_path, "vtrace", "nodes", "--token-file", "to") == {"token"}
    assert bash_complete(tmp_path, "vtrace", "explain", "fdb") == {"fdb-missing"}
    assert bash_complete(tmp_path, "vtrace", "add", "--count", "") == set()
    for command in COMMANDS:
        options = set(re.findall(r"--[\w-]+", vtrace("help", command).stdout.split("example:")[0].split("\n\n", 2)[-1]))
        assert "--help" in bash_complete(tmp_path, "vtrace", command, "--")
        assert bash_complete(tmp_path, "vtrace", command, "--") <= options | {"--help"}


def test_completion_zsh_has_all_commands():
    text = vtrace("completion", "zsh").stdout
    assert text.startswith("#compdef vtrace\n")
    for command in COMMANDS:
        assert f"\t{command})\n" in text


def test_full_disk():
    with open("/dev/full", "w") as full:
        done = subprocess.run([vtrace_path(), "explain"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 1 and "standard output" in done.stderr


# --- a server that is not there, or not as it should be -----------------------------------------------------------


@pytest.mark.parametrize("command", ONLINE)
def test_no_server(command):
    url = f"http://127.0.0.1:{free_port()}"
    for argv, env in (["--server", url], {}), ([], {"VTRACE_SERVER": url}), (["--server", url], {"http_proxy": "http://127.0.0.1:1"}):
        fails(1, command, *ONLINE[command], *argv, env=env, says=[url, "Connection refused", "vtrace server", "--server URL"])


def test_no_such_host_and_files(tmp_path):
    fails(1, "nodes", "--server", "http://vtrace.invalid:8471", says=["vtrace.invalid"])
    fails(1, "nodes", "--token-file", str(tmp_path / "none"), says=["token file", "No such file"])
    fails(1, "nodes", "--ca", str(tmp_path / "none"), says=["CA file", "No such file"])
    (tmp_path / "empty").write_text("\n")
    fails(1, "nodes", "--token-file", str(tmp_path / "empty"), says=["has no token"])


class Scripted:
    """Answers each request by calling `answer(method, path, headers, body)`, which returns (status, bytes) or raw bytes."""

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                reply = answer(self.command, self.path, self.headers, body)
                if isinstance(reply, bytes):
                    self.wfile.write(reply)
                    self.close_connection = True
                    return
                status, text = reply
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_DELETE = handle_any

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.http.shutdown()
        self.http.server_close()


def problem(status, detail, **more):
    return status, json.dumps({"type": "about:blank", "title": "Problem", "status": status, "detail": detail, **more}).encode()


def result(state, coloured=2, **more):
    return {"id": "7", "filter": "udp", "bidirectional": False, "packet_count": 100, "trace_time": 10.0, "state": state,
            "error": None, "created": "2026-01-31T10:00:00.123456Z", "finished": None, "nodes": {"armed": 1, "failed": []},
            "packets": {"coloured": coloured, "delivered": coloured, "dropped": 0, "lost": 0, "unfinished": 0, "ambiguous": 0},
            "records": {"received": 4, "missing": 0}, "verdict": None, "causes": [], "paths": [], **more}


@pytest.mark.parametrize("reply, says", [
    (problem(404, "no trace 1", **{"try": "GET /v1/traces"}), ["no trace 1 (vtrace list shows what there is)"]),
    (problem(503, "256 traces run already, the limit"), ["256 traces run already"]),
    (problem(500, "line one\nline \x1b[31mtwo"), ["line one line  [31mtwo"]),
    ((401, b""), ["token", "--token-file"]),
    ((404, b"<html>nginx</html>"), ["not a VTrace server"]),
    ((200, b"<html>hello</html>"), ["not a VTrace server"]),
    ((200, b"[1, 2"), ["not a VTrace server"]),
    ((200, b"{}"), ["vtrace"]),
    ((200, b'"text"'), ["vtrace"]),
    ((302, b""), ["not a VTrace server"]),
    (b"SSH-2.0-OpenSSH_9.2\r\n", ["not a VTrace server"]),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", ["no answer from the server"]),
    (b"", ["no answer from the server"]),
])
def test_bad_answers(reply, says):
    with Scripted(lambda *_: reply) as server:
        for command, args in ONLINE.items():
            if command == "stats" and reply == (200, b"{}"):
                continue  # no counters is an answer
            fails(1, command, *args, "--server", server.url, says=says)


def test_token_is_sent_and_trimmed(tmp_path):
    (tmp_path / "token").write_text("# the server's\n\n  s3cret \n")
    seen = []

    def answer(method, path, headers, body):
        seen.append((method, path, headers["Authorization"]))
        return 200, b"[]"

    with Scripted(answer) as server:
        done = vtrace("nodes", "--token-file", str(tmp_path / "token"), "--server", server.url + "/")
    assert done.returncode == 0 and "vtrace agent" in done.stdout
    assert seen == [("GET", "/v1/nodes", "Bearer s3cret")]


def test_requests():
    """What goes over the wire: paths are escaped, filters in their normal form, numbers are numbers."""
    seen = []

    def answer(method, path, headers, body):
        seen.append((method, path, json.loads(body) if body else None))
        if method == "POST":
            return 201, b'{"id": "7", "state": "new"}'
        return (200, b'{"traces": [{"id": "9"}]}') if "?limit" in path else (200, json.dumps(result("done")).encode())

    with Scripted(answer) as server:
        env = {"VTRACE_SERVER": server.url}
        done = vtrace("add", "dst port 53 and udp", "--count", "7", "--time", "2.5s", "-b", env=env)
        assert (done.returncode, done.stdout) == (0, "7\n")
        done = vtrace("add", "udp", "--json", env=env)
        assert json.loads(done.stdout) == {"id": "7", "state": "new"}
        vtrace("result", "dst", "port", "53", "and", "udp", "--packets", env=env)
        vtrace("result", "a/../b?c", env=env)
        assert vtrace("list", "--state", "done", "-n5", env=env).returncode == 0
    assert seen[0] == ("POST", "/v1/traces", {"filter": "udp and dst port 53", "packet_count": 7, "trace_time": 2.5,
                                              "bidirectional": True})
    assert seen[1][2] == {"filter": "udp", "packet_count": 100, "trace_time": 10.0, "bidirectional": False}
    assert seen[2][:2] == ("GET", "/v1/traces?limit=1&filter=udp%20and%20dst%20port%2053")
    assert seen[3][:2] == ("GET", "/v1/traces/9?packets=1")
    assert seen[4][:2] == ("GET", "/v1/traces/a%2F..%2Fb%3Fc")
    assert seen[5][:2] == ("GET", "/v1/traces?limit=5&state=done")


def scripted_trace(states):
    """A server whose one trace goes through these results, one a GET; the last one stays."""
    left = list(states)

    def answer(method, path, headers, body):
        if method == "POST":
            return 201, b'{"id": "7", "state": "new"}'
        return 200, json.dumps(left.pop(0) if len(left) > 1 else left[0]).encode()

    return Scripted(answer)


@pytest.mark.parametrize("last, status, says", [
    (result("done"), 0, "2 of 2 packets delivered, no loss\n"),
    (result("done", 0), 3, "no packet matched in 10 s\n"),
    (result("cancelled", 0), 3, "cancelled before a packet matched\n"),
    (result("failed", 0, error="no agent is connected"), 1, ""),
])
def test_wait_status(last, status, says):
    for argv in ["add", "--wait", "udp"], ["result", "--wait", "7"]:
        with scripted_trace([result("ready", 0), result("tracing", 1), last]) as server:
            done = vtrace(*argv, "--server", server.url)
            assert done.returncode == status and done.stdout.startswith(says)
            assert done.stderr == ("" if status != 1 else f"vtrace {argv[0]}: the trace failed: no agent is connected\n")
            done = vtrace(*argv, "--json", "--server", server.url)
            assert done.returncode == status and json.loads(done.stdout) == last


def test_result_of_running_trace_is_no_failure():
    with scripted_trace([result("tracing", 0)]) as server:
        done = vtrace("result", "7", "--server", server.url)
    assert done.returncode == 0 and done.stdout.startswith("tracing: no packet has matched yet\n")


def test_progress_on_terminal():
    master, slave = pty.openpty()
    with scripted_trace([result("tracing", 1), result("done")]) as server:
        done = subprocess.run([vtrace_path(), "add", "--wait", "udp", "--server", server.url], stdout=subprocess.PIPE,
                              stderr=slave, text=True, timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"})
    os.close(slave)
    shown = os.read(master, 4096).decode()
    os.close(master)
    assert done.returncode == 0 and done.stdout.startswith("2 of 2 packets delivered")
    assert "trace 7  tracing    1 of 100 packets" in shown
    assert shown.endswith("\r\x1b[K")  # the line is gone when the result is printed


def test_colours_and_ascii():
    """Colours on a terminal only, and not with NO_COLOR; UTF-8 by the locale."""
    hops = [{"hop": 1, "node": "a", "kind": "vswitch", "vni": 1, "nat": None, "in": {"device": "x"}, "out": {"device": "y"}}]
    done = result("done", paths=[{"packets": 2, "end": "delivered", "direction": "forward", "cause": None, "flow": "f",
                                  "hops": hops}])
    with scripted_trace([done]) as server:
        def on_terminal(env):
            master, slave = pty.openpty()
            subprocess.run([vtrace_path(), "result", "7", "--server", server.url], stdout=slave, timeout=60, check=True,
                           env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env})
            os.close(slave)
            text = os.read(master, 65536).decode()
            os.close(master)
            return text

        assert "\x1b[1;32m2 of 2 packets delivered" in on_terminal({"NO_COLOR": ""})
        assert "\x1b" not in on_terminal({"NO_COLOR": "1"})
        assert "\x1b" not in on_terminal({"NO_COLOR": "", "TERM": "dumb"})
        assert "─▶" in on_terminal({}) and "->" in on_terminal({"LC_ALL": "C"})
        assert on_terminal({"LC_ALL": "C"}).isascii()


def test_interrupt_cancels():
    """The first interrupt of add --wait cancels the trace; its result so far is printed."""
    polled, cancelled = threading.Event(), threading.Event()

    def answer(method, path, headers, body):
        if method == "POST":
            return 201, b'{"id": "7", "state": "new"}'
        if method == "DELETE":
            cancelled.set()
            return 200, b'{"id": "7", "state": "cancelled"}'
        polled.set()
        cancelled.wait(1)
        return 200, json.dumps(result("cancelled" if cancelled.is_set() else "tracing")).encode()

    with Scripted(answer) as server:
        proc = subprocess.Popen([vtrace_path(), "add", "--wait", "udp", "--server", server.url], stdout=subprocess.PIPE, text=True)
        assert polled.wait(30)
        proc.send_signal(signal.SIGINT)
        out, _ = proc.communicate(timeout=30)
    assert cancelled.is_set()
    assert proc.returncode == 0 and out.startswith("cancelled: 2 of 2 packets delivered")


# --- libvtrace ----------------------------------------------------------------------------------------------------


def libvtrace_path():
    return program("LIBVTRACE", "build/src/client/libvtrace.so")


def test_library_exports_only_its_interface():
    out = subprocess.run(["nm", "-D", "--defined-only", libvtrace_path()], capture_output=True, text=True, check=True).stdout
    symbols = {line.split()[-1].split("@")[0] for line in out.splitlines() if " A " not in line}
    header = (ROOT / "include/vtrace.h").read_text()
    assert symbols == set(re.findall(r"\b(vtrace_\w+)\(", re.sub(r"/\*.*?\*/", "", header, flags=re.S)))
    needed = subprocess.run(["readelf", "-d", libvtrace_path()], capture_output=True, text=True, check=True).stdout
    assert {re.sub(r"[.-].*", "", lib) for lib in re.findall(r"NEEDED.*\[(.*?)\]", needed)} <= {"libcurl", "libjansson", "libc", "libm", "libasan", "libubsan"}


@pytest.mark.parametrize("compiler, standard", [("gcc", "c99"), ("gcc", "c11"), ("g++", "c++98"), ("g++", "c++17")])
def test_header_is_clean(tmp_path, compiler, standard):
    source = tmp_path / ("x.c" if compiler == "gcc" else "x.cc")
    source.write_text("#include <vtrace.h>\nint main(void) { return vtrace_version() == 0; }\n")
    subprocess.run([compiler, f"-std={standard}", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                    f"-I{ROOT / 'include'}", str(source)], check=True)


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 512)]


class Result(ctypes.Structure):
    _fields_ = [("id", ctypes.c_char_p), ("filter", ctypes.c_char_p), ("state", ctypes.c_char_p), ("error", ctypes.c_char_p),
                ("final", ctypes.c_int), ("coloured", ctypes.c_uint64), ("delivered", ctypes.c_uint64)]


@contextlib.contextmanager
def library_client(url):
    lib = ctypes.CDLL(libvtrace_path())
    client, error = ctypes.c_void_p(), Error()
    assert lib.vtrace_connect(url.encode(), None, ctypes.byref(client), ctypes.byref(error)) == 0, error.text
    yield lib, client
    lib.vtrace_close(client)


def test_library_runs_requests_side_by_side():
    """One client, several threads: a wait must not hold up the cancel that ends it."""
    cancelled, waiting = threading.Event(), threading.Barrier(8, timeout=30)

    def answer(method, path, headers, body):
        if method == "DELETE":
            cancelled.set()
            return 200, b"{}"
        waiting.wait()
        assert cancelled.wait(30)
        return 200, json.dumps(result("cancelled")).encode()

    def wait(lib, client):
        got, error = ctypes.POINTER(Result)(), Error()
        code = lib.vtrace_wait(client, b"7", ctypes.c_double(-1), 0, ctypes.byref(got), ctypes.byref(error))
        assert code == 0, error.text
        seen = (got.contents.state, got.contents.final, got.contents.coloured)
        lib.vtrace_result_free(got)
        return seen

    with Scripted(answer) as server, library_client(server.url) as (lib, client):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            waits = [pool.submit(wait, lib, client) for _ in range(7)]
            waiting.wait()
            assert lib.vtrace_cancel(client, b"7", None) == 0
            assert [w.result(30) for w in waits] == [(b"cancelled", 1, 2)] * 7


def test_library_errors_are_values():
    with Scripted(lambda *_: problem(404, "no trace 7")) as server, library_client(server.url) as (lib, client):
        got, error = ctypes.POINTER(Result)(), Error()
        assert lib.vtrace_result(client, b"7", 0, ctypes.byref(got), ctypes.byref(error)) == 7
        assert (error.code, error.text) == (7, b"no trace 7") and not got
        lib.vtrace_code_name.restype = ctypes.c_char_p
        assert lib.vtrace_code_name(7) == b"not-found"


# --- the real server, with agents that replay records --------------------------------------------------------------


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """A server on loopback and two agents that replay a golden case: h1 sends, h2's firewall drops."""
    url = f"http://127.0.0.1:{free_port()}"
    data = tmp_path_factory.mktemp("data")
    with contextlib.ExitStack() as stack:
        def start(name, *argv):
            proc = Proc([vtrace_path(), *argv], name, env={**os.environ, "VTRACE_SERVER": url})
            stack.callback(proc.stop)
            proc.wait_line(r"^ready:", 20)

        start("server", "server", "--listen", url.removeprefix("http://"), "--data", str(data))
        for node in "h1", "h2":
            start(node, "agent", "--node", node, "--datapath", f"fake:{RECORDS}")
        yield url


def test_real_wait(system):
    done = vtrace("add", "--wait", "--count", "2", "--time", "5", FILTER, "--server", system)
    assert done.returncode == 0, done
    first = done.stdout.splitlines()[0]
    assert first == "2 of 2 packets dropped on h2 (vswitch) at vm2: policy-nft-rule  [proven]"
    assert "table inet fw chain fwd handle 7" in done.stdout


def test_real_result(system):
    env = {"VTRACE_SERVER": system}
    trace = vtrace("add", "--count", "2", "--time", "5", FILTER, env=env).stdout.strip()
    by_id = vtrace("result", trace, "--wait", "--json", "--packets", env=env)
    assert by_id.returncode == 0, by_id
    got = json.loads(by_id.stdout)
    assert (got["id"], got["state"], got["verdict"]["code"]) == (trace, "done", "policy-nft-rule")
    assert len(got["list"]) == 2
    by_filter = vtrace("result", "dst port 53 and udp and src host 10.0.0.1", "--json", env=env)
    assert json.loads(by_filter.stdout)["id"] == trace
    assert trace in [row["id"] for row in json.loads(vtrace("list", "--json", env=env).stdout)]
    assert re.search(rf"^{trace} +done .*policy-nft-rule .*{FILTER}$", vtrace("list", FILTER, env=env).stdout, re.M)


def test_real_nodes_and_stats(system):
    env = {"VTRACE_SERVER": system}
    nodes = {node["name"]: node for node in json.loads(vtrace("nodes", "--json", env=env).stdout)}
    assert set(nodes) == {"h1", "h2"} and nodes["h1"]["state"] == "connected" and nodes["h1"]["datapath"] == "fake"
    assert "h2" in vtrace("nodes", env=env).stdout
    assert isinstance(json.loads(vtrace("stats", "--json", env=env).stdout), dict)
    assert vtrace("stats", env=env).stdout


def test_real_cancel_and_errors(system):
    env = {"VTRACE_SERVER": system}
    trace = vtrace("add", "--time", "600", "tcp and dst port 9", env=env).stdout.strip()
    assert vtrace("cancel", trace, env=env).stdout == f"{trace}: cancelled\n"
    fails(1, "cancel", trace, env=env, says=["already", "vtrace result"])
    other = vtrace("add", "--time", "600", "tcp and dst port 9", env=env).stdout.strip()
    assert json.loads(vtrace("cancel", other, "--json", env=env).stdout) == {"id": other, "state": "cancelled"}
    assert vtrace("result", trace, "--wait", env=env).returncode == 3
    fails(1, "result", "99999", env=env, says=["99999"])
    fails(1, "cancel", "99999", env=env, says=["99999"])
    fails(1, "result", "sctp and vni 77", env=env, says=["no trace of"])


def test_real_no_match(system):
    done = vtrace("add", "--wait", "--time", "0.2", "tcp and dst port 9", "--server", system)
    assert done.returncode == 3 and done.stdout.startswith("no packet matched in 0.2 s\n")


def test_real_tls_and_token(tmp_path):
    """HTTPS with a certificate of our own authority: trusted with --ca only; and no answer without a token."""
    key, cert, token, other = (tmp_path / name for name in ("key.pem", "cert.pem", "token", "other"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                    "-subj", "/CN=vtrace test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    for path, text in (token, "# operators\ntop-secret-token-0123456789abcdef\n"), (other, "another-secret-0123456789abcdef\n"):
        path.write_text(text)
        path.chmod(0o600)
    url = f"https://127.0.0.1:{free_port()}"
    server = Proc([vtrace_path(), "server", "--listen", url.removeprefix("https://"), "--data", str(tmp_path / "data"),
                   "--tls-cert", str(cert), "--tls-key", str(key), "--token-file", str(token)], "server")
    try:
        server.wait_line(r"^ready:", 20)
        trusted = ["nodes", "--server", url, "--ca", str(cert)]
        assert vtrace(*trusted, "--token-file", str(token)).returncode == 0
        fails(1, *trusted, says=["token", "--token-file FILE"])
        fails(1, *trusted, "--token-file", str(other), says=["token", "--token-file FILE"])
        fails(1, "nodes", "--server", url, "--token-file", str(token), says=["not trusted", "--ca FILE"])
        fails(1, "nodes", "--server", url.replace("https", "http"), "--token-file", str(token))
    finally:
        server.stop()


def test_example(system):
    example = program("VTRACE_EXAMPLE", "build/examples/add_and_wait")
    done = subprocess.run([example, system, FILTER], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    assert "0 of 2 packets delivered" in done.stdout and "policy-nft-rule on h2: table inet fw" in done.stdout
    done = subprocess.run([example, f"http://127.0.0.1:{free_port()}", FILTER], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "Connection refused" in done.stderr
