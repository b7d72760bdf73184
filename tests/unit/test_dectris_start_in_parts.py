"""A start message whose parts come as messages of their own, as LiberTEM's simulator sends it."""

from __future__ import annotations

import json

import pytest
import zmq

from pipeline.dectris.engine import Engine, Settings
from pipeline.errors import StreamBroken

HEAD = json.dumps({"htype": "dheader-1.0", "series": 7, "header_detail": "basic"}).encode()
CONFIG = {
    "x_pixels_in_detector": 32,
    "y_pixels_in_detector": 16,
    "bit_depth_image": 16,
    "nimages": 1,
    "ntrigger": 3,
    "trigger_mode": "exte",
    "compression": "bslz4",
}
IMAGE = [b'{"htype": "dimage-1.0"}', b"{}", b"blob", b"{}"]


@pytest.mark.parametrize("together", [True, False], ids=["one message", "two messages"])
def test_the_start_is_understood(together: bool) -> None:
    parts = [HEAD, json.dumps(CONFIG).encode()]
    with zmq.Context() as context, context.socket(zmq.PUSH) as push:
        port = push.bind_to_random_port("tcp://127.0.0.1")
        engine = Engine(f"tcp://127.0.0.1:{port}", Settings())
        for message in [parts] if together else [[part] for part in parts]:
            push.send_multipart(message)
        start = engine.wait_for_start(10)
        engine.close()
    assert start is not None
    assert (start.series, start.expected, start.width, start.height) == (7, 3, 32, 16)


def test_an_image_does_not_complete_it() -> None:
    with zmq.Context() as context, context.socket(zmq.PUSH) as push:
        port = push.bind_to_random_port("tcp://127.0.0.1")
        engine = Engine(f"tcp://127.0.0.1:{port}", Settings())
        push.send_multipart([HEAD])
        push.send_multipart(IMAGE)
        with pytest.raises(StreamBroken, match="1 parts; it should have 2"):
            engine.wait_for_start(10)
        engine.close()
