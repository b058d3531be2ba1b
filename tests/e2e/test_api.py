# SPDX-License-Identifier: BSD-3-Clause
"""The server's HTTP API against docs/openapi.yaml: answers, errors, limits, agents, restarts. Needs no privileges.

Agents are played by the test itself (so that it can misbehave), and once by the real ones with the fake datapath.
"""

import errno
import http.client
import json
import os
import re
import select
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
import yaml
from jsonschema import Draft202012Validator, RefResolver

ROOT = Path(__file__).resolve().parents[2]
SPEC = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())
GOLDEN = ROOT / "tests/golden/drop-nft-rule/records.jsonl"
FILTER = "udp and src host 10.0.0.1 and dst port 53"
LIMIT_S = 10  # for anything that should happen at once, on a busy machine


def vtrace_path():
    for path in (os.environ.get("VTRACE"), ROOT / "build/vtrace", ROOT / "build/src/vtrace"):
        if path and Path(path).exists():
            return str(path)
    pytest.fail("no vtrace program: build it with make, or set VTRACE")


class Server:
    """A real `vtrace server` on a free loopback port."""

    def __init__(self, data, *args, listen="127.0.0.1:0"):
        self.data = data
        self.proc = subprocess.Popen(
            [vtrace_path(), "server", "--listen", listen, "--data", str(data), *args], stderr=subprocess.PIPE, text=True
        )
        line = self.proc.stderr.readline()
        match = re.fullmatch(r"ready: listening on (https?)://(.*):(\d+)\n", line)
        assert match, f"no ready line but {line!r}, {self.proc.wait()=}"
        self.scheme, self.host, self.port = match[1], match[2].strip("[]"), int(match[3])
        self.url = f"{self.scheme}://{match[2]}:{self.port}"

    def connect(self):
        if self.scheme == "https":
            trust = ssl.create_default_context(cafile=str(self.data / "cert.pem"))
            return http.client.HTTPSConnection(self.host, self.port, timeout=LIMIT_S, context=trust)
        return http.client.HTTPConnection(self.host, self.port, timeout=LIMIT_S)

    def stop(self, how=signal.SIGTERM):
        """Ends it; returns its exit status and how long that took."""
        begin = time.monotonic()
        self.proc.send_signal(how)
        status = self.proc.wait(timeout=LIMIT_S)
        took = time.monotonic() - begin
        self.proc.stderr.close()
        return status, took

    def close(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        self.proc.stderr.close()

    def call(self, method, path, body=None, headers=None, conn=None):
        """One exchange, checked against the description; returns (status, body, headers)."""
        own = conn is None
        conn = conn or self.connect()
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None and "Content-Type" not in headers:
            headers["Content-Type"] = "application/json"
        conn.request(method, path, body, headers)
        answer = conn.getresponse()
        raw = answer.read()
        if own:
            conn.close()
        got = check_answer(method, path, answer, raw)
        return answer.status, got, answer.headers

    def get(self, path, status=200, **kwargs):
        got = self.call("GET", path, **kwargs)
        assert got[0] == status, got
        return got[1]

    def add(self, filter=FILTER, **members):
        status, got, headers = self.call("POST", "/v1/traces", {"filter": filter, **members})
        assert status == 201, got
        assert headers["Location"] == f"/v1/traces/{got['id']}"
        return got["id"]

    def begin(self, filter=FILTER, **members):
        """Adds a trace without waiting for the answer, which comes only once the nodes colour."""
        return Adding(self, {"filter": filter, **members})

    def state(self, trace, state, seconds=LIMIT_S):
        """Waits until the trace is in that state; returns its result."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = self.get(f"/v1/traces/{trace}")
            if got["state"] == state:
                return got
        raise AssertionError(f"trace {trace} is {got['state']}, not {state}")

    def node(self, name, state, **members):
        """Waits until the node is in that state, and what it told of itself in a batch of its own is known, too."""
        members["state"] = state
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            nodes = {node["name"]: node for node in self.get("/v1/nodes")}
            if name in nodes and members.items() <= nodes[name].items():
                return nodes[name]
        raise AssertionError(f"node {name} did not become {members}: {nodes}")


class Adding:
    """A POST /v1/traces on its way."""

    def __init__(self, server, members):
        self.conn = server.connect()
        self.conn.request("POST", "/v1/traces", json.dumps(members), {"Content-Type": "application/json"})

    def done(self):
        """The answer; the connection is closed."""
        answer = self.conn.getresponse()
        got = check_answer("POST", "/v1/traces", answer, answer.read())
        self.conn.close()
        assert answer.status == 201, got
        return got


# --- the description -----------------------------------------------------------------------------------------------


def schema_of(ref_or_schema):
    return Draft202012Validator(
        ref_or_schema, resolver=RefResolver("", {"components": SPEC["components"]})
    )


def deref(node):
    while "$ref" in node:
        target = SPEC
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def operation(method, path):
    path = path.split("?")[0]
    for template, item in SPEC["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path):
            return item.get("get" if method == "HEAD" else method.lower())
    return None


def check_problem(answer, got):
    assert answer.headers["Content-Type"] == "application/problem+json", got
    schema_of({"$ref": "#/components/schemas/Problem"}).validate(got)
    assert got["status"] == answer.status and got["title"] and got["detail"], got
    assert "\n" not in got["detail"], got


def check_answer(method, path, answer, raw):
    """Holds an answer against docs/openapi.yaml; returns its body."""
    media = answer.headers["Content-Type"].split(";")[0]
    got = raw.decode() if media == "text/plain" else json.loads(raw) if raw else None
    op = operation(method, path)
    if method == "HEAD":
        assert not raw
        return None
    if op is None:
        assert answer.status in (401, 404, 405), (method, path, answer.status)
        check_problem(answer, got)
        return got
    assert str(answer.status) in op["responses"], f"{method} {path}: status {answer.status} is not described: {got}"
    response = deref(op["responses"][str(answer.status)])
    assert media in response["content"], (path, media)
    if "schema" in response["content"][media]:
        schema_of(response["content"][media]["schema"]).validate(got)
    if answer.status >= 400:
        check_problem(answer, got)
    return got


# --- an agent, played --------------------------------------------------------------------------------------------

RECORD, ARMED, FAILED, STOPPED, PROGRESS, NODE, STARTED = 1, 2, 3, 4, 5, 6, 7


def text(value):
    raw = value.encode()
    return struct.pack("<H", len(raw)) + raw


def item(kind, body):
    return struct.pack("<BBH", kind, 0, len(body)) + body


def armed(task):
    return item(ARMED, struct.pack("<I", task))


def started(task):
    return item(STARTED, struct.pack("<I", task))


def failed(task, why):
    return item(FAILED, struct.pack("<I", task) + text(why))


def stopped(task, forward, reverse=0):
    return item(STOPPED, struct.pack("<IQQ", task, forward, reverse))


def progress(lost=0):
    return item(PROGRESS, struct.pack("<QQQ", lost, 0, 0))


def node_info(devices):
    return item(NODE, text("linux") + text("9.9") + struct.pack("<IB", devices, 0))


def coloured(task, packet, seq, loc=1):
    """A record of a packet that this node coloured (loc 1), or handed to a VM (loc 2)."""
    parts, flags = (1, 1) if loc == 1 else (0, 0)
    body = struct.pack("<HHBBBB", parts, flags, loc, 1, 4, 17)
    body += struct.pack("<QQQIIHHH", packet, 1000 * seq, seq, 4, 100, 1, 4000, 53)
    body += bytes([10, 0, 0, 1]) + bytes([10, 0, 0, 2]) + text("vm1" if loc == 1 else "vm2")
    if parts:
        body += struct.pack("<I", task)
    return item(RECORD, body)


def batch(node, boot, number, *items, kind=1, magic=b"VTB1", version=2):
    name, body = node.encode(), b"".join(items)
    head = struct.pack("<HBBQQII", version, kind, len(name), boot, number, len(items), len(body))
    return magic + head + name + body


class Agent:
    """One node's stream and batches."""

    next_boot = 0x1000

    def __init__(self, server, name="h1", boot=None, kind="vswitch", status=200, headers=None):
        Agent.next_boot += 1
        self.server, self.name, self.boot, self.number, self.seq = server, name, boot or Agent.next_boot, 0, 0
        self.conn = server.connect()
        query = urlencode({"node": name, "kind": kind, "datapath": "linux", "version": "9.9", "boot": f"{self.boot:016x}"})
        self.conn.request("GET", f"/v1/agent/tasks?{query}", headers=headers or {})
        self.sock = self.conn.sock
        self.answer = self.conn.getresponse()
        assert self.answer.status == status, self.answer.read()
        if status != 200:
            self.problem = json.loads(self.answer.read())
            self.conn.close()
            return
        self.snapshot = self.line("snapshot")["tasks"]

    def line(self, op=None):
        """The next line but heartbeats, which must be `op`; None at the stream's end."""
        while True:
            raw = self.answer.readline()
            if not raw:
                assert op is None, f"the stream ended before {op}"
                return None
            line = json.loads(raw)
            schema_of({"$ref": "#/components/schemas/StreamLine"}).validate(line)
            if line["op"] != "heartbeat":
                assert op is None or line["op"] == op, line
                return line

    def post(self, data, status=200):
        got = self.server.call("POST", "/v1/agent/records", data, {"Content-Type": "application/octet-stream"})
        assert got[0] == status, got
        return got[1]

    def send(self, *items):
        self.number += 1
        got = self.post(batch(self.name, self.boot, self.number, *items))
        assert got == {"acknowledged": self.number}

    def packet(self, task, packet):
        """Records of a packet that came from one VM here and went to another."""
        self.seq += 2
        return coloured(task, packet, self.seq - 1), coloured(task, packet, self.seq, loc=2)

    def arm(self):
        """Arms the next task; returns its id."""
        task = self.line("arm")["task"]["id"]
        self.send(armed(task))
        return task

    def start(self, task):
        assert self.line("start")["id"] == task
        self.send(started(task))

    def begin(self, **members):
        """Adds a trace and takes it, as the only node, until it colours; returns the trace's id."""
        adding = self.server.begin(**members)
        task = self.arm()
        self.start(task)
        assert adding.done() == {"id": str(task), "state": "tracing"}
        return task

    def finish(self, task, packets):
        """Colours so many packets, which are all delivered, and stops when told to."""
        records = [record for n in range(packets) for record in self.packet(task, 7000 + n)]
        self.send(*records, progress())
        assert self.line("stop")["id"] == task
        self.send(stopped(task, packets), progress())
        assert self.line("disarm")["id"] == task

    def close(self):
        """As when the agent's process dies: the kernel closes its socket."""
        if self.sock.fileno() >= 0:
            self.sock.shutdown(socket.SHUT_RDWR)
        self.answer.close()
        self.conn.close()


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path)
    yield made
    made.close()


@pytest.fixture
def agent(server):
    made = Agent(server)
    yield made
    made.close()


# --- the description itself --------------------------------------------------------------------------------------


def test_description_is_sound():
    for schema in SPEC["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    refs = re.findall(r"\$ref: \"([^\"]+)\"", (ROOT / "docs/openapi.yaml").read_text())
    assert refs and all(deref({"$ref": ref}) for ref in refs)
    ids = [op["operationId"] for item in SPEC["paths"].values() for op in item.values() if isinstance(op, dict)]
    assert len(ids) == len(set(ids))


def test_description_is_complete():
    """Its paths and methods are the rows of the server's own table."""
    rows = re.findall(r'\{"([A-Z]+)", "(/[^"]*)"', (ROOT / "src/server/api.c").read_text())
    described = {(m.upper(), p) for p, item in SPEC["paths"].items() for m in item if m in ("get", "post", "delete", "put")}
    assert set(rows) == described


# --- reading -----------------------------------------------------------------------------------------------------


def test_empty_server(server):
    assert server.get("/healthz")["status"] == "ok"
    assert server.get("/v1/traces") == {"traces": [], "next_cursor": None}
    assert server.get("/v1/nodes") == []
    stats = server.get("/v1/stats")
    assert sum(stats["traces"].values()) == 0 and stats["nodes"] == {"connected": 0, "known": 0}


def test_causes_are_those_of_the_contract(server):
    causes = {cause["code"]: cause["class"] for cause in server.get("/v1/causes")}
    assert causes["policy-nft-rule"] == "security-policy"
    assert causes["fdb-missing"] == "infrastructure"
    assert causes["unexplained"] == "unknown"
    assert len(causes) >= 37
    assert all("%" not in cause["next_step"] for cause in server.get("/v1/causes"))


def test_head_is_get_without_body(server):
    for path in ("/healthz", "/v1/traces", "/v1/nodes", "/metrics"):
        assert server.call("HEAD", path)[0] == 200
    assert server.call("HEAD", "/v1/agent/tasks?node=h1")[0] == 405


def test_metrics_are_prometheus_text(server, agent):
    agent.begin()
    text_ = server.get("/metrics")
    values, types = {}, {}
    for line in text_.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types
            types[name] = kind
        elif not line.startswith("# HELP "):
            match = re.fullmatch(r'(vtrace_[a-z_]+)(\{[a-z]+="[^"]*"\})? ([0-9.]+)', line)
            assert match, line
            assert match[1] in types, line
            values[match[1] + (match[2] or "")] = float(match[3])
    assert values["vtrace_nodes_connected"] == 1
    assert values["vtrace_traces_active"] == 1
    assert values['vtrace_http_requests_total{code="201"}'] == 1
    assert 'vtrace_verdicts_total{code="policy-nft-rule"}' in values
    assert all(kind == ("counter" if name.endswith("_total") else "gauge") for name, kind in types.items())


# --- adding ------------------------------------------------------------------------------------------------------


def test_without_an_agent_a_trace_fails_at_once(server):
    status, got, _ = server.call("POST", "/v1/traces", {"filter": FILTER})
    assert (status, got["state"]) == (201, "failed")
    result = server.get(f"/v1/traces/{got['id']}")
    assert "no agent is connected" in result["error"] and "vtrace agent" in result["error"]
    assert result["finished"] and result["verdict"] is None


def test_defaults_and_normal_form(server):
    result = server.get(f"/v1/traces/{server.add('dst port 53 and udp')}")
    assert result["filter"] == "udp and dst port 53"
    assert (result["packet_count"], result["trace_time"], result["bidirectional"]) == (100, 10.0, False)
    result = server.get(f"/v1/traces/{server.add('tcp', packet_count=100000, trace_time=0.25, bidirectional=True)}")
    assert (result["packet_count"], result["trace_time"], result["bidirectional"]) == (100000, 0.25, True)


BAD_BODIES = [
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b"[1]", "object"),
    (b'"udp"', "not JSON"),
    (b"{}", "'filter' is missing"),
    (b'{"filter": 5}', "'filter' must be a string"),
    (b'{"filter": ""}', "filter"),
    (b'{"filter": "udp or tcp"}', "or"),
    (b'{"filter": "udp and dst prt 53"}', "prt"),
    (b'{"filter": "src host 10.0.0.300"}', "10.0.0.300"),
    (b'{"filter": "' + b"udp and " * 5000 + b'udp"}', "filter"),
    (b'{"filter": "udp", "filter": "tcp"}', "uplicate"),
    (b'{"filter": "udp\\u0000"}', "not JSON"),
    (b'{"filter": "\xff\xfe"}', "not JSON"),
    (b'{"filter": "udp", "packets": 5}', "unknown member 'packets'"),
    (b'{"filter": "udp", "packet_count": 0}', "packet_count"),
    (b'{"filter": "udp", "packet_count": -1}', "packet_count"),
    (b'{"filter": "udp", "packet_count": 100001}', "100000"),
    (b'{"filter": "udp", "packet_count": 1.5}', "packet_count"),
    (b'{"filter": "udp", "packet_count": "5"}', "packet_count"),
    (b'{"filter": "udp", "packet_count": null}', "packet_count"),
    (b'{"filter": "udp", "packet_count": 99999999999999999999}', "not JSON"),
    (b'{"filter": "udp", "trace_time": 0}', "trace_time"),
    (b'{"filter": "udp", "trace_time": -1}', "trace_time"),
    (b'{"filter": "udp", "trace_time": 3601}', "3600"),
    (b'{"filter": "udp", "trace_time": 1e300}', "trace_time"),
    (b'{"filter": "udp", "trace_time": "10"}', "trace_time"),
    (b'{"filter": "udp", "bidirectional": 1}', "bidirectional"),
    (b"[" * 60000, "not JSON"),
    (b'{"filter": "udp"} trailing', "not JSON"),
]


@pytest.mark.parametrize("body, word", BAD_BODIES)
def test_bad_bodies_are_named(server, body, word):
    status, got, _ = server.call("POST", "/v1/traces", body)
    assert status == 400
    assert word in got["detail"], got
    assert got["try"]
    assert server.get("/v1/traces")["traces"] == []


def test_body_types(server):
    body = b'{"filter": "udp"}'
    for media in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/octet-stream"):
        status, got, _ = server.call("POST", "/v1/traces", body, {"Content-Type": media})
        assert status == 415 and "application/json" in got["detail"]
    status, _, _ = server.call("POST", "/v1/traces", body, {"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert status == 415
    status, _, _ = server.call("POST", "/v1/traces", body, {"Content-Type": "Application/JSON; charset=utf-8"})
    assert status == 201


@pytest.mark.parametrize("size", [64 * 1024 + 1, 3_000_000, 40_000_000])
def test_bodies_have_a_limit(server, size):
    """Also where the client sends first and listens later; past 16 MiB it may find the connection closed."""
    try:
        status, got, _ = server.call("POST", "/v1/traces", b" " * size)
        assert status == 413 and "65536" in got["detail"]
    except (BrokenPipeError, ConnectionResetError):
        assert size > 16 * 1024 * 1024
    assert server.get("/healthz")["status"] == "ok"


def test_chunked_bodies_have_a_limit_too(server):
    conn = server.connect()
    chunks = (b" " * 1000 for _ in range(200))
    conn.request("POST", "/v1/traces", chunks, {"Content-Type": "application/json"}, encode_chunked=True)
    answer = conn.getresponse()
    assert answer.status == 413
    check_answer("POST", "/v1/traces", answer, answer.read())
    conn.close()


def test_body_up_to_the_limit_is_taken(server):
    body = b'{"filter": "udp"}'.ljust(64 * 1024)
    assert server.call("POST", "/v1/traces", body)[0] == 201


def test_one_connection_serves_many_requests(server):
    conn = server.connect()
    for _ in range(3):
        assert server.call("POST", "/v1/traces", {"filter": "udp"}, conn=conn)[0] == 201
        assert server.call("POST", "/v1/traces", b"nonsense", conn=conn)[0] == 400
        assert server.call("GET", "/nothing", conn=conn)[0] == 404
    conn.close()


# --- paths, methods, queries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/trace", "/v1/traces/1/2", "/v1/traces/", "/v2/traces", "/v1/traces/" + "9" * 500])
def test_unknown_paths(server, path):
    assert server.call("GET", path)[0] == 404


@pytest.mark.parametrize("trace", ["0", "1", "01", "-1", "+1", "x", "1.0", "4294967296", "99999999999", "1%2F2", "%00", "%ff"])
def test_unknown_ids(server, trace):
    for method in ("GET", "DELETE"):
        status, got, _ = server.call(method, f"/v1/traces/{trace}")
        assert status == 404, got


@pytest.mark.parametrize(
    "method, path, allow",
    [
        ("PUT", "/v1/traces", "POST, GET, HEAD"),
        ("DELETE", "/v1/traces", "POST, GET, HEAD"),
        ("POST", "/v1/traces/1", "GET, HEAD, DELETE"),
        ("POST", "/healthz", "GET, HEAD"),
        ("DELETE", "/metrics", "GET, HEAD"),
        ("GET", "/v1/agent/records", "POST"),
        ("POST", "/v1/agent/tasks", "GET"),
        ("OPTIONS", "/v1/traces", "POST, GET, HEAD"),
    ],
)
def test_methods(server, method, path, allow):
    status, _, headers = server.call(method, path)
    assert status == 405
    assert headers["Allow"] == allow


@pytest.mark.parametrize(
    "path, word",
    [
        ("/v1/traces?stat=done", "stat"),
        ("/v1/traces?state=finished", "state"),
        ("/v1/traces?state=done&state=new", "twice"),
        ("/v1/traces?limit=0", "limit"),
        ("/v1/traces?limit=1001", "1000"),
        ("/v1/traces?limit=ten", "limit"),
        ("/v1/traces?limit=", "limit"),
        ("/v1/traces?limit", "limit"),
        ("/v1/traces?limit=5%00", "NUL"),
        ("/v1/traces?cursor=0", "cursor"),
        ("/v1/traces?cursor=abc", "cursor"),
        ("/v1/traces?filter=or", "or"),
        ("/v1/traces?filter=%ff%fe", "filter"),
        ("/v1/traces/1?wait=61", "wait"),
        ("/v1/traces/1?wait=-1", "wait"),
        ("/v1/traces/1?packets=2", "packets"),
        ("/v1/traces/1?pakets=1", "pakets"),
        ("/v1/nodes?x", "x"),
        ("/v1/stats?x=1", "x"),
        ("/v1/causes?code=y", "code"),
    ],
)
def test_bad_queries_are_named(server, path, word):
    status, got, _ = server.call("GET", path)
    assert status == 400
    assert word in got["detail"], got


def test_garbage_instead_of_http(server):
    for junk in (b"\x00\xff" * 100, b"GET\r\n\r\n", b"POST /v1/traces HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                 b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"):
        with socket.create_connection((server.host, server.port), timeout=LIMIT_S) as sock:
            try:
                sock.sendall(junk)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(4096):
                    pass
            except OSError as error:  # it may have hung up already
                assert error.errno in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)
    assert server.get("/healthz")["status"] == "ok"


# --- listing -----------------------------------------------------------------------------------------------------


def test_listing_pages_newest_first(server):
    ids = [server.add("udp" if n % 2 else "tcp") for n in range(7)]
    seen, cursor, pages = [], None, 0
    while True:
        page = server.get("/v1/traces?limit=3" + (f"&cursor={cursor}" if cursor else ""))
        seen += [trace["id"] for trace in page["traces"]]
        cursor, pages = page["next_cursor"], pages + 1
        if not cursor:
            break
    assert seen == ids[::-1] and pages == 3
    assert server.get("/v1/traces?limit=7")["next_cursor"] is None


def test_listing_by_filter_and_state(server, agent):
    running = str(agent.begin(filter="udp and dst port 53"))
    query = quote("dst port 53 and udp")
    assert [t["id"] for t in server.get(f"/v1/traces?filter={query}")["traces"]] == [running]
    assert server.get("/v1/traces?filter=tcp")["traces"] == []
    end = time.monotonic() + LIMIT_S  # the listing follows as soon as the store was written
    while [t["id"] for t in server.get("/v1/traces?state=tracing")["traces"]] != [running]:
        assert time.monotonic() < end
    summary = server.get("/v1/traces?state=tracing")["traces"][0]
    assert summary["packets"] is None and summary["verdict"] is None and summary["finished"] is None
    assert server.get("/v1/traces?state=done")["traces"] == []


# --- a trace's life ------------------------------------------------------------------------------------------------


def test_life_of_a_trace(server, agent):
    agent.send(node_info(3), progress())
    server.node("h1", "connected", devices=3)
    adding = server.begin(packet_count=2)
    line = agent.line("arm")["task"]
    trace = line["id"]
    assert line == {"id": trace, "filter": FILTER, "bidirectional": False, "packet_count": 2, "trace_time_ms": 10000}
    assert server.get(f"/v1/traces/{trace}")["state"] == "ready"
    agent.send(armed(trace))
    assert agent.line("start") == {"op": "start", "id": trace}
    assert not select.select([adding.conn.sock], [], [], 0)[0]  # it waits until the node colours
    agent.send(started(trace))
    assert adding.done() == {"id": str(trace), "state": "tracing"}
    agent.send(*agent.packet(trace, 71), *agent.packet(trace, 72), progress())
    agent.line("stop")  # the count is reached
    live = server.state(trace, "analyzing")
    assert live["packets"]["coloured"] == 2 and live["finished"] is None and live["records"]["received"] == 4
    agent.send(stopped(trace, 2), progress())
    agent.line("disarm")
    result = server.get(f"/v1/traces/{trace}?wait=10&packets=1")
    assert result["state"] == "done" and result["error"] is None
    assert result["nodes"] == {"armed": 1, "failed": []}
    assert result["packets"]["delivered"] == 2 and result["verdict"] is None
    assert [packet["end"] for packet in result["list"]] == ["delivered"] * 2
    assert "list" not in server.get(f"/v1/traces/{trace}")
    assert server.get("/v1/traces")["traces"][0]["packets"]["delivered"] == 2
    assert server.get("/v1/stats")["traces"]["done"] == 1


def test_time_over_ends_a_trace(server, agent):
    trace = agent.begin(trace_time=0.05)
    agent.finish(trace, 0)
    result = server.get(f"/v1/traces/{trace}?wait=10")
    assert result["state"] == "done" and result["packets"]["coloured"] == 0


def test_waiting_returns_when_final(server, agent):
    trace = agent.begin()
    got = []
    waiters = [threading.Thread(target=lambda: got.append(server.get(f"/v1/traces/{trace}?wait=60"))) for _ in range(5)]
    for waiter in waiters:
        waiter.start()
    begin = time.monotonic()
    assert server.get(f"/v1/traces/{trace}?wait=1")["state"] == "tracing"
    assert 0.9 < time.monotonic() - begin < 5
    assert not got
    assert server.call("DELETE", f"/v1/traces/{trace}")[0] == 200
    for waiter in waiters:
        waiter.join(LIMIT_S)
    assert [result["state"] for result in got] == ["cancelled"] * 5


def test_cancel(server, agent):
    trace = agent.begin()
    agent.send(*agent.packet(trace, 71), progress())
    status, got, _ = server.call("DELETE", f"/v1/traces/{trace}")
    assert (status, got) == (200, {"id": str(trace), "state": "cancelled"})
    result = server.get(f"/v1/traces/{trace}")
    assert result["state"] == "cancelled" and result["finished"]
    while agent.line()["op"] != "disarm":
        pass
    status, got, _ = server.call("DELETE", f"/v1/traces/{trace}")
    assert status == 409 and "cancelled already" in got["detail"]


def test_nodes_that_do_not_arm_are_named(server, agent):
    refusing, silent = Agent(server, "h2"), Agent(server, "h3", kind="vrouter")
    adding = server.begin(trace_time=0.05)
    trace = agent.arm()
    refusing.line("arm")
    refusing.send(failed(trace, "256 tasks are armed, the limit"))
    agent.start(trace)
    assert adding.done()["state"] in ("tracing", "analyzing", "done")
    agent.finish(trace, 0)
    silent.line("arm")
    result = server.get(f"/v1/traces/{trace}?wait=10")
    errors = {node["node"]: node["error"] for node in result["nodes"]["failed"]}
    assert result["state"] == "done" and result["nodes"]["armed"] == 1
    assert errors["h2"] == "256 tasks are armed, the limit"
    assert "did not answer within 1 s" in errors["h3"]
    for other in (refusing, silent):
        other.close()


def test_no_node_armed_fails_the_trace(server, agent):
    adding = server.begin()
    agent.send(failed(agent.line("arm")["task"]["id"], "no BTF in this kernel"))
    got = adding.done()
    assert got["state"] == "failed"
    error = server.get(f"/v1/traces/{got['id']}")["error"]
    assert "h1" in error and "no BTF in this kernel" in error


def test_arming_is_fast(server):
    """From the request to its answer, with three agents, which answer as fast as Python does."""
    agents = [Agent(server, f"h{n}") for n in range(3)]
    times = []
    for _ in range(20):
        begin = time.monotonic()
        adding = server.begin()
        tasks = [one.arm() for one in agents]
        for one, task in zip(agents, tasks):
            one.start(task)
        assert adding.done()["state"] == "tracing"
        times.append(time.monotonic() - begin)
        assert server.call("DELETE", f"/v1/traces/{tasks[0]}")[0] == 200
        for one in agents:
            one.line("disarm")
    assert sorted(times)[len(times) // 2] < 0.2, times  # the program's aim is 0.05
    for one in agents:
        one.close()


def test_active_traces_have_a_limit(server, agent):
    ids = []
    for _ in range(1024 // 32):
        adding = [server.begin("udp", trace_time=3600) for _ in range(32)]
        tasks = [agent.line("arm")["task"]["id"] for _ in adding]
        agent.send(*[armed(task) for task in tasks])
        assert sorted(agent.line("start")["id"] for _ in adding) == sorted(tasks)
        agent.send(*[started(task) for task in tasks])
        ids += [int(one.done()["id"]) for one in adding]
    status, got, headers = server.call("POST", "/v1/traces", {"filter": "udp"})
    assert status == 429 and "1024" in got["detail"] and int(headers["Retry-After"]) > 0
    late = Agent(server, "h2")
    assert sorted(task["id"] for task in late.snapshot) == sorted(ids)
    late.close()
    server.node("h2", "disconnected")
    assert server.call("DELETE", f"/v1/traces/{ids[0]}")[0] == 200
    agent.line("disarm")
    agent.begin(filter="udp")


# --- agents ------------------------------------------------------------------------------------------------------


def test_nodes_come_and_go(server):
    one, two = Agent(server, "h1"), Agent(server, "gw", kind="vrouter")
    nodes = server.get("/v1/nodes")
    assert [(n["name"], n["kind"], n["state"]) for n in nodes] == [("gw", "vrouter", "connected"), ("h1", "vswitch", "connected")]
    assert nodes[0]["datapath"] == "linux" and nodes[0]["version"] == "9.9"
    begin = time.monotonic()
    two.close()
    server.node("gw", "disconnected")
    assert time.monotonic() - begin < 3  # not only when a heartbeat fails
    assert server.get("/v1/stats")["nodes"] == {"connected": 1, "known": 2}
    again = Agent(server, "gw")
    assert server.node("gw", "connected")["kind"] == "vswitch"
    again.close()
    one.close()


def test_heartbeats(server, agent):
    """They keep the stream alive; one comes every 5 s."""
    ready, _, _ = select.select([agent.sock], [], [], 8)
    assert ready
    assert json.loads(agent.answer.readline()) == {"op": "heartbeat"}


def test_a_late_agent_gets_what_runs(server, agent):
    tracing = agent.begin()
    adding = server.begin("tcp")
    ready = agent.line("arm")["task"]["id"]
    late = Agent(server, "h2")
    tasks = {task["id"]: task for task in late.snapshot}
    assert (tasks[tracing]["started"], tasks[tracing]["stopped"]) == (True, False)
    assert tasks[tracing]["filter"] == FILTER
    assert (tasks[ready]["started"], tasks[ready]["stopped"]) == (False, False)
    agent.send(armed(ready))
    agent.start(ready)
    late.start(ready)  # changes from now on
    assert adding.done()["state"] == "tracing"
    late.close()


def test_a_broken_stream_is_made_good(server, agent):
    """The same agent is back within the time of grace: it hears what it missed, and the result is whole."""
    trace = agent.begin(packet_count=1)
    agent.close()
    server.node("h1", "disconnected")
    agent.send(*agent.packet(trace, 71), progress())
    server.state(trace, "analyzing")
    back = Agent(server, "h1", boot=agent.boot)
    assert [(t["id"], t["started"], t["stopped"]) for t in back.snapshot] == [(trace, False, True)]
    agent.send(stopped(trace, 1), progress())
    result = server.get(f"/v1/traces/{trace}?wait=10")
    assert result["state"] == "done" and result["packets"]["delivered"] == 1
    assert result["records"]["missing"] == 0 and result["nodes"] == {"armed": 1, "failed": []}
    back.close()


def test_an_agent_that_dies_does_not_hold_up_the_others(server, agent):
    dying = Agent(server, "h2")
    adding = server.begin(packet_count=1)
    trace = agent.arm()
    dying.arm()
    agent.start(trace)
    dying.start(trace)
    assert adding.done()["state"] == "tracing"
    dying.close()
    agent.send(*agent.packet(trace, 71), progress())
    agent.line("stop")
    agent.send(stopped(trace, 1), progress())
    result = server.get(f"/v1/traces/{trace}?wait=20")
    assert result["state"] == "done" and result["packets"]["coloured"] == 1


def test_a_restarted_agent_takes_its_name_over(server):
    old = Agent(server, "h1")
    new = Agent(server, "h1")
    assert old.line() is None  # its stream is ended
    assert server.get("/v1/stats")["nodes"] == {"connected": 1, "known": 1}
    # The old one lives on and wants its name back: two agents share one name.
    refused = Agent(server, "h1", boot=old.boot, status=409)
    assert "h1" in refused.problem["detail"] and "--node" in refused.problem["detail"]
    schema_of({"$ref": "#/components/schemas/Problem"}).validate(refused.problem)
    new.begin()
    new.close()


GOOD = {"node": "h1", "kind": "vswitch", "datapath": "linux", "version": "1", "boot": "ab"}


@pytest.mark.parametrize(
    "change",
    [
        {"node": None}, {"node": ""}, {"node": "a b"}, {"node": "a" * 64}, {"node": "h\n1"}, {"node": "\xff"}, {"kind": None},
        {"kind": "router"}, {"datapath": None}, {"datapath": "d" * 32}, {"version": "\x01"}, {"boot": None}, {"boot": "0"},
        {"boot": "xyz"}, {"boot": "0x12"}, {"boot": "1" * 17}, {"more": "1"},
    ],
)
def test_agents_must_say_who_they_are(server, change):
    query = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    status, got, _ = server.call("GET", "/v1/agent/tasks?" + urlencode(query))
    assert status == 400
    assert f"'{list(change)[0]}'" in got["detail"], got


# --- batches -----------------------------------------------------------------------------------------------------


def test_batches_are_idempotent(server, agent):
    trace = agent.begin(packet_count=5, trace_time=0.3)
    agent.number += 1
    again = batch("h1", agent.boot, agent.number, *agent.packet(trace, 71), progress())
    for _ in range(5):
        assert agent.post(again) == {"acknowledged": agent.number}
    agent.line("stop")
    agent.send(stopped(trace, 1), progress())
    result = server.get(f"/v1/traces/{trace}?wait=10")
    assert result["packets"]["coloured"] == result["packets"]["delivered"] == 1
    assert result["records"] == {"received": 2, "missing": 0}
    batches = server.get("/v1/stats")["batches"]
    assert batches["duplicate"] == 4 and batches["received"] == 4


BAD_BATCHES = {
    "empty": b"",
    "short": b"VTB1",
    "magic": batch("h1", 1, 1, progress(), magic=b"HTTP"),
    "version": batch("h1", 1, 1, progress(), version=99),
    "kind": batch("h1", 1, 1, progress(), kind=9),
    "boot": batch("h1", 0, 1, progress()),
    "number": batch("h1", 1, 0, progress()),
    "name": batch("", 1, 1, progress()),
    "name-blank": batch("h 1", 1, 1, progress()),
    "name-slash": batch("../h1", 1, 1, progress()),
    "cut": batch("h1", 1, 1, progress())[:-1],
    "longer": batch("h1", 1, 1, progress()) + b"x",
    "items": batch("h1", 1, 1, *[progress()] * 1025),
    "zeros": bytes(1000),
    "noise": bytes((n * 7919) % 251 for n in range(5000)),
}


@pytest.mark.parametrize("name", BAD_BATCHES)
def test_bad_batches_are_refused_and_counted(server, agent, name):
    got = agent.post(BAD_BATCHES[name], 400)
    assert got["detail"] and got["try"]
    stats = server.get("/v1/stats")
    assert stats["batches"] == {"received": 0, "duplicate": 0, "malformed": 1, "refused": 0}
    agent.send(progress())  # and the next one is taken


def test_batch_type_and_size(server, agent):
    good = batch("h1", agent.boot, 1, progress())
    status, _, _ = server.call("POST", "/v1/agent/records", good, {"Content-Type": "application/json"})
    assert status == 415
    status, got, _ = server.call(
        "POST", "/v1/agent/records", bytes(1024 * 1024 + 1), {"Content-Type": "application/octet-stream"}
    )
    assert status == 413 and "1048576" in got["detail"]


# --- tokens, TLS, where it listens -------------------------------------------------------------------------------


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("# who may\n\n  alpha-token  \nbeta-token\n")
    made = Server(tmp_path, "--token-file", str(path))
    yield made
    made.close()


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer alpha", "Bearer alpha-token2", "Basic alpha-token", "Bearer # who may",
               "alpha-token", "Bearer " + "a" * 2000]
)
def test_wrong_tokens(tokens, header):
    headers = {} if header is None else {"Authorization": header}
    for method, path in (("GET", "/v1/traces"), ("GET", "/metrics"), ("DELETE", "/v1/traces/1"), ("GET", "/nothing"),
                         ("GET", "/v1/agent/tasks")):
        status, got, answered = tokens.call(method, path, headers=headers)
        assert status == 401 and answered["WWW-Authenticate"] == "Bearer"
        assert "alpha" not in json.dumps(got)
    assert tokens.call("POST", "/v1/traces", {"filter": "udp"}, headers)[0] == 401
    assert tokens.get("/healthz", headers=headers)["status"] == "ok"


@pytest.mark.parametrize("header", ["Bearer alpha-token", "bearer beta-token"])
def test_right_tokens(tokens, header):
    headers = {"Authorization": header}
    assert tokens.get("/v1/traces", headers=headers)["traces"] == []
    Agent(tokens, headers=headers).close()


def test_tls(tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "key.pem",
         "-out", tmp_path / "cert.pem"], check=True, capture_output=True,
    )
    server = Server(tmp_path, "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    try:
        assert server.scheme == "https"
        agent = Agent(server)
        trace = agent.begin(packet_count=1)
        agent.finish(trace, 1)
        assert server.get(f"/v1/traces/{trace}?wait=10")["packets"]["delivered"] == 1
        conn = server.connect()
        conn.connect()
        assert conn.sock.version() in ("TLSv1.2", "TLSv1.3")
        conn.close()
        status, took = server.stop()
        assert (status, took < 1.5) == (0, True)
        agent.conn.close()
    finally:
        server.close()


def test_ipv6(tmp_path):
    server = Server(tmp_path, listen="[::1]:0")
    try:
        assert server.url.startswith("http://[::1]:")
        assert server.get("/healthz")["status"] == "ok"
    finally:
        server.close()


# --- start and end -----------------------------------------------------------------------------------------------


def run_server(*args):
    """Runs a server that must not start; returns status and its lines."""
    got = subprocess.run([vtrace_path(), "server", *map(str, args)], capture_output=True, text=True, timeout=LIMIT_S)
    return got.returncode, got.stderr.splitlines()


def expect_failure(*args, status=1, word):
    got, lines = run_server(*args)
    assert got == status, lines
    assert len(lines) == 1 and word in lines[0], lines


def test_other_than_loopback_needs_safety(tmp_path):
    (tmp_path / "tokens").write_text("t\n")
    data = tmp_path / "data"
    expect_failure("--listen", "0.0.0.0:0", "--data", data, word="--insecure")
    expect_failure("--listen", "[::]:0", "--data", data, word="--insecure")
    expect_failure("--listen", "0.0.0.0:0", "--data", data, "--token-file", tmp_path / "tokens", word="--tls-cert")
    assert not data.exists()
    server = Server(tmp_path, "--insecure", listen="0.0.0.0:0")
    server.host = "127.0.0.1"
    assert server.get("/healthz")["status"] == "ok"
    server.close()


def test_port_in_use(server, tmp_path):
    expect_failure("--listen", f"127.0.0.1:{server.port}", "--data", tmp_path / "other", word="--listen")


def test_data_in_use(server, tmp_path):
    expect_failure("--listen", "127.0.0.1:0", "--data", tmp_path, word="another vtrace server uses it")


def test_bad_data(tmp_path):
    (tmp_path / "file").write_text("x")
    expect_failure("--listen", "127.0.0.1:0", "--data", tmp_path / "file", word="--data")
    expect_failure("--listen", "127.0.0.1:0", "--data", tmp_path / "file/below", word="--data")
    expect_failure("--listen", "127.0.0.1:0", "--data", "/proc/vtrace", word="--data")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/traces.db").write_text("no database " * 1000)
    expect_failure("--listen", "127.0.0.1:0", "--data", tmp_path / "broken", word="traces.db")


def test_bad_files(tmp_path):
    common = ("--listen", "127.0.0.1:0", "--data", tmp_path / "data")
    (tmp_path / "empty").write_text("# none\n")
    (tmp_path / "words").write_text("good\ntwo words\n")
    (tmp_path / "junk").write_text("junk")
    expect_failure(*common, "--token-file", tmp_path / "none", word="token file")
    expect_failure(*common, "--token-file", tmp_path / "empty", word="no token")
    expect_failure(*common, "--token-file", tmp_path / "words", word="line 2")
    expect_failure(*common, "--tls-cert", tmp_path / "none", "--tls-key", tmp_path / "junk", word="TLS certificate")
    expect_failure(*common, "--tls-cert", tmp_path / "junk", "--tls-key", tmp_path / "junk", word="TLS")


@pytest.mark.parametrize("listen", ["", "127.0.0.1", "127.0.0.1:", ":8471", "127.0.0.1:99999", "127.0.0.1:x", "::1:80", "[::1]"])
def test_wrong_listen_is_wrong_usage(tmp_path, listen):
    expect_failure("--listen", listen, "--data", tmp_path / "d", status=2, word="--listen")


@pytest.mark.parametrize("args", [("--nonsense",), ("extra",), ("--tls-cert", "x"), ("--data",)])
def test_wrong_usage(args):
    status, lines = run_server(*args)
    assert status == 2 and lines


def test_unknown_address(tmp_path):
    expect_failure("--listen", "192.0.2.77:0", "--insecure", "--data", tmp_path / "d", word="192.0.2.77")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_end_is_clean_and_fast(tmp_path, how):
    """With streams open and a request that waits."""
    server = Server(tmp_path)
    agents = [Agent(server, f"h{n}") for n in range(3)]
    adding = server.begin()
    tasks = [one.arm() for one in agents]
    for one, trace in zip(agents, tasks):
        one.start(trace)
    adding.done()
    half_added = server.begin("tcp")
    agents[0].line("arm")
    waiting = server.connect()
    waiting.request("GET", f"/v1/traces/{trace}?wait=60")
    idle = server.connect()
    idle.connect()
    server.get("/healthz")
    status, took = server.stop(how)
    assert status == 0 and took < 1
    assert agents[0].line() is None
    for conn in (waiting, idle, half_added.conn, *[one.conn for one in agents]):
        conn.close()


def test_restart_keeps_results_and_fails_what_ran(tmp_path):
    server = Server(tmp_path)
    agent = Agent(server)
    done = agent.begin(packet_count=1)
    agent.finish(done, 1)
    before = server.get(f"/v1/traces/{done}?wait=10&packets=1")
    assert before["state"] == "done" and len(before["list"]) == 1
    ran = agent.begin(filter="tcp", packet_count=7)
    server.proc.kill()  # the hard way
    server.close()
    agent.conn.close()

    server = Server(tmp_path)
    assert server.get(f"/v1/traces/{done}?packets=1") == before
    result = server.get(f"/v1/traces/{ran}")
    assert result["state"] == "failed" and result["packet_count"] == 7 and result["filter"] == "tcp"
    assert result["error"] == "the server was restarted while the trace ran; run it again"
    assert int(server.add()) > ran
    server.close()


def test_data_is_private(tmp_path):
    data = tmp_path / "a/b"
    server = Server(data)
    assert (data.stat().st_mode & 0o777, data.parent.stat().st_mode & 0o777) == (0o700, 0o700)
    server.close()


def test_real_agents(server):
    """Real agents with the fake datapath, which replays a golden case: from the request to the verdict."""
    procs = []
    try:
        for name in ("h1", "h2"):
            procs.append(subprocess.Popen(
                [vtrace_path(), "agent", "--server", server.url, "--node", name, "--datapath", f"fake:{GOLDEN}"],
                stderr=subprocess.PIPE, text=True,
            ))
        for proc in procs:
            assert proc.stderr.readline().startswith("ready:")
        trace = server.add(packet_count=2)
        result = server.get(f"/v1/traces/{trace}?wait=10&packets=1")
        assert result["state"] == "done" and result["nodes"] == {"armed": 2, "failed": []}
        assert result["verdict"]["code"] == "policy-nft-rule" and result["verdict"]["node"] == "h2"
        assert result["verdict"]["certainty"] == "proven"
        assert [hop["node"] for hop in result["paths"][0]["hops"]] == ["h1", "h2"]
        assert len(result["list"]) == 2
        assert server.get("/v1/stats")["verdicts"] == {"policy-nft-rule": 1}
    finally:
        for proc in procs:
            proc.terminate()
            proc.wait()
            proc.stderr.close()
