# SPDX-License-Identifier: BSD-3-Clause
"""Sockets in the namespaces of a lab, and an HTTP client with one persistent connection to the server."""

import contextlib
import ctypes
import http.client
import json
import os
import socket

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(lab, node):
    """This thread is in a node's namespace: sockets made and processes started here belong there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{lab.prefix}-{node}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(there)
        yield
    finally:
        _setns(home)
        os.close(home)
        os.close(there)


def udp_socket(lab, node, port=0):
    with inside(lab, node):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("0.0.0.0", port))
        return sock


class Client:
    """The server's API. Calls raise on any status but the expected ones."""

    def __init__(self, lab, address, timeout=30):
        host, port = address.removeprefix("http://").split(":")
        self.http = http.client.HTTPConnection(host, int(port))
        with inside(lab, "ctl"):
            self.http.sock = socket.create_connection((host, int(port)), timeout)
        self.http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, method, path, body=None, expected=(200, 201)):
        self.http.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        response = self.http.getresponse()
        text = response.read()
        if response.status not in expected:
            raise RuntimeError(f"{method} {path}: status {response.status}: {text.decode(errors='replace')}")
        return json.loads(text)

    def add(self, flt, count=100, seconds=60, bidirectional=False):
        """Returns the id of a trace that is `tracing`: the server answers once it is, or we ask until it is."""
        trace = self.call("POST", "/v1/traces", {
            "filter": flt, "packet_count": count, "trace_time": seconds, "bidirectional": bidirectional})
        while trace["state"] in ("new", "ready"):
            trace = self.call("GET", f"/v1/traces/{trace['id']}")
        if trace["state"] != "tracing":
            raise RuntimeError(f"trace {trace['id']} is {trace['state']}, not tracing")
        return trace["id"]

    def result(self, trace, wait=0):
        return self.call("GET", f"/v1/traces/{trace}" + (f"?wait={wait}" if wait else ""))

    def cancel(self, trace):
        self.call("DELETE", f"/v1/traces/{trace}", expected=(200, 202))

    def close(self):
        self.http.close()
