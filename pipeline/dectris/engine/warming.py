"""Loading the compiled code before images come: what is compiled during a series lets the stream's queue run over."""

from __future__ import annotations

import struct

import numpy as np

from pipeline.dectris.engine import codes, kernels
from pipeline.dectris.engine.settings import Settings
from pipeline.dectris.engine.slots import Slab
from pipeline.dectris.reduce.passes import Pass
from pipeline.dectris.reduce.worker import BSLZ4, Frames, Worker
from pipeline.dectris.values import SeriesStart

_EMPTY = struct.Struct(">QI")


def warm_receiver() -> None:
    """Load (the first time on a machine: compile, some seconds) the receive kernel, on a socket that is none."""
    slab = Slab(Settings(num_slots=2, bytes_per_frame=1, frame_stack_size=1), 1)
    slot = slab.take(None)
    if slot is None:
        return
    messages = np.zeros((codes.MAX_PARTS, codes.MESSAGE_BYTES), np.uint8)
    kernels.prepare(messages)
    state = np.zeros(codes.STATE_SIZE, np.int64)
    table, first_rows = np.zeros((1, 5), np.int64), np.zeros(2, np.int64)
    # ZeroMQ answers ENOTSOCK to the address 0, and the kernel comes back.
    kernels.receive(
        np.int64(0), messages, 1, 0, table, first_rows, np.frombuffer(b"\0", np.uint8), np.zeros(3, np.int64),
        np.zeros((1, 2), np.int64), np.zeros(16, np.uint8), slab.data, 0, 1, 1, 1, slot.frames, slot.offsets,
        slot.lengths, slot.digests, state, np.zeros(2, np.int64),
    )  # fmt: skip
    kernels.copy_held(messages, 0, np.zeros(kernels.held_size(messages, 0), np.uint8))
    kernels.release(messages, state)


def warm_passes(passes: list[Pass], start: SeriesStart) -> None:
    """Load the kernels that these passes need, with a frame that is damaged and so changes nothing."""
    dtype = start.dtype or np.dtype("uint16")
    # Compiled code knows writable memory from other; the slab is writable.
    head = _EMPTY.pack(start.width * start.height * dtype.itemsize, 8192)
    data = np.frombuffer(bytearray(head + bytes(4)), np.uint8)
    one = np.zeros((len(start.channels), 1), np.int64)
    quiet = [
        Pass(p.channel, p.ignore_maximum, weights=p.weights, masks=p.masks, combine=p.combine) for p in passes
    ]
    frames = Frames(data, np.zeros(1, np.int64), one, one + data.size, (BSLZ4,) * len(start.channels), dtype)
    Worker(quiet, (start.height, start.width)).reduce(frames)
