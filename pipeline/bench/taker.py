"""A bridge client as a process: takes every train that is offered until told to stop."""

from __future__ import annotations

import json
import select
import sys

import zmq


def main() -> None:
    """Ask for trains at the address given; print how many came when a line arrives on stdin."""
    context = zmq.Context()
    socket = context.socket(zmq.REQ)
    socket.linger = 0
    socket.connect(sys.argv[1])
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    trains = received = 0
    socket.send(b"next")
    while not select.select([sys.stdin], [], [], 0)[0]:
        if poller.poll(100):
            received += sum(len(part.buffer) for part in socket.recv_multipart(copy=False))
            trains += 1
            socket.send(b"next")
    print(json.dumps({"trains": trains, "bytes": received}))  # noqa: T201 - the answer to the parent
    socket.close()
    context.term()


if __name__ == "__main__":
    main()
