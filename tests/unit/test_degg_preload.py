"""Task processes of optical modules find loaded what nearly every task uses: a run has two thousand of them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What every task and every check does, in a process that has loaded what the launcher loads; it tells what came on top.
COMMON = """
import importlib, socket, sys
from fat.degg.preload import PRELOAD
from scheduler.runner import ARGUMENTS
for name in (*ARGUMENTS, *PRELOAD):
    importlib.import_module(name)
loaded = set(sys.modules)
import numpy as np
from fat.instruments.http import JsonPeer
from scheduler.calling import bound
def task(context, comment: str, n_jobs: int = 4, events: tuple[int, ...] = ()): ...
bound(task, "here:task", [], {"comment": "cold", "n_jobs": "2", "events": [1, 2]})
with JsonPeer("the bench", sys.argv[1]) as bench:
    bench.request("GET", "/status")
socket.create_connection(("127.0.0.1", int(sys.argv[1].rpartition(":")[2]))).close()
np.median([1.0, 2.0])
print(" ".join(sorted(set(sys.modules) - loaded)))
"""


class Status(BaseHTTPRequestHandler):
    """A bench that is well."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"devices": {}, "processes": {}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_what_every_task_does_imports_nothing_more():
    with ThreadingHTTPServer(("127.0.0.1", 0), Status) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        address = f"http://127.0.0.1:{server.server_port}"
        try:
            told = subprocess.run(
                [sys.executable, "-c", COMMON, address],
                check=True,
                capture_output=True,
                text=True,
                timeout=60,
            )
        finally:
            server.shutdown()
            serving.join()
    assert told.stdout.split() == []
