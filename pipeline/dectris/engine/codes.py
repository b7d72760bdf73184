"""Numbers that mean something between the receive kernel and Python."""

from __future__ import annotations

from typing import Final

# Kinds of what stands between two pieces of a pattern.
DECIMAL: Final = 0
HASH: Final = 1
CBOR_UINT: Final = 2
CBOR_BYTES: Final = 3
END: Final = 4
"""Nothing: the part ends."""
DATA: Final = 5
"""The whole part is data."""
ANYTHING: Final = 6
"""The whole part is of no interest."""

# Roles of these fields.
IGNORED: Final = -1
FRAME: Final = -2
SIZE: Final = -3
SUM_OF_DATA: Final = -4
"""From 0 on: data of the channel of that number."""

# Columns of a pattern's table.
PART: Final = 0
BEGIN: Final = 1
LENGTH: Final = 2
KIND: Final = 3
ROLE: Final = 4

# Entries of the receiver's state.
COUNT: Final = 0
USED: Final = 1
HELD: Final = 2
READY: Final = 3
"""1: the held message is an image that waits for room."""
MORE: Final = 4
WAITED_NS: Final = 5
BYTES: Final = 6
BYTES_MAX: Final = 7
OPENED_NS: Final = 8
"""When the first frame of this slot came; 0 while there is none."""
STATE_SIZE: Final = 9

# Why `receive` came back.
FULL: Final = 0
OTHER: Final = 1
IDLE: Final = 2
FLUSH: Final = 3
CLOSED: Final = 4

MESSAGE_BYTES: Final = 64
"""Of a zmq_msg_t, fixed by ZeroMQ's interface."""
MAX_PARTS: Final = 5
