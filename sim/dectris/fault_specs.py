"""What can be broken in a control unit on purpose. Light to import: what strikes is loaded with what it strikes."""

from __future__ import annotations

from typing import Final

from sim.kernel.faults import FaultSpec

UNIT_FAULTS: Final = (
    FaultSpec(
        "early_end",
        "The series ends in place of an image that is due, and of all that are due with it.",
        "missing frames of the series report, state idle",
    ),
    FaultSpec(
        "detector_error",
        "The hardware fails: the series is aborted, and nothing works before `initialize`.",
        "state error; missing frames of the series report",
    ),
    FaultSpec(
        "restart",
        "The service restarts: everything is forgotten, and no end message is sent.",
        "state na; ended of the series report is false",
    ),
)
"""Of the unit itself."""

_FROM: Final = {"from_frame": 0}
"""An image fault strikes images from this number on."""

IMAGE_FAULTS: Final = (
    FaultSpec(
        "drop_frame", "An image is made but its message is not sent.", "missing of the series report", _FROM
    ),
    FaultSpec(
        "duplicate_frame", "An image's message is sent twice.", "duplicates of the series report", _FROM
    ),
    FaultSpec(
        "reorder_frames",
        "An image is sent after the one that follows it.",
        "reordered of the series report",
        _FROM,
    ),
    FaultSpec(
        "wrong_series",
        "An image carries another series number.",
        "wrong_series and missing of the series report",
        {"offset": 1, **_FROM},
    ),
    FaultSpec(
        "corrupt_blob",
        "16 bytes of an image's data are inverted: stream 1 in the middle, stream 2 at the first block's length.",
        "corrupt of the series report",
        _FROM,
    ),
    FaultSpec(
        "wrong_size",
        "The size that an image message tells is wrong: stream 1 bytes of the data, stream 2 the height.",
        "truncated (stream 1) or broken (stream 2) of the series report",
        {"bytes": 1, **_FROM},
    ),
    FaultSpec(
        "truncated_blob",
        "The last bytes of an image's data are missing; stream 1 tells the full size.",
        "truncated (stream 1) or corrupt (stream 2) of the series report",
        {"bytes": 16, **_FROM},
    ),
    FaultSpec(
        "wrong_hash",
        "The hash of an image is not that of its data; never strikes on stream 2, which has none.",
        "corrupt of the series report",
        _FROM,
    ),
    FaultSpec(
        "missing_part",
        "An image message lacks its last part (stream 1) or the data of its channels (stream 2).",
        "broken of the series report",
        _FROM,
    ),
    FaultSpec(
        "extra_part", "An image message has more parts than any has.", "broken of the series report", _FROM
    ),
    FaultSpec(
        "garbage",
        "Before an image comes a message of random bytes.",
        "broken of the series report",
        _FROM,
    ),
    FaultSpec(
        "silent_stream",
        "Nothing goes out for a time, then everything that became due meanwhile.",
        "silence_s of the series report",
        {"delay_s": 1.0, **_FROM},
    ),
)
MESSAGE_FAULTS: Final = (
    FaultSpec(
        "missing_header", "The start message is not sent.", "nothing starts; stale of the next series' report"
    ),
    FaultSpec(
        "stale_end",
        "The previous series' end message is sent before the start.",
        "stale of the series report",
    ),
    FaultSpec("missing_end", "The end message is not sent.", "ended of the series report is false"),
    FaultSpec(
        "late_end", "The end message comes late.", "end_delay_s of the series report", {"delay_s": 2.0}
    ),
)
STREAM_FAULTS: Final = (*IMAGE_FAULTS, *MESSAGE_FAULTS)
"""Of the streams."""

FILE_FAULTS: Final = (
    FaultSpec(
        "file_missing",
        "A data file never appears though its images were taken.",
        "404 at HEAD /data/NAME; the master's link leads nowhere",
    ),
    FaultSpec(
        "file_truncated",
        "A data file is cut off.",
        "opening it with HDF5 fails: truncated file",
        {"keep": 0.5},
    ),
    FaultSpec(
        "file_late",
        "A data file appears some time after its last image.",
        "404 at HEAD /data/NAME until then",
        {"delay_s": 5.0},
    ),
    FaultSpec(
        "file_wrong_link",
        "The master's first link names a file that does not exist.",
        "reading through the master fails (format of 2024: zeros); the data file itself is intact",
    ),
    FaultSpec(
        "file_corrupt_chunk",
        "16 bytes in the middle of an image's chunk are inverted.",
        "reading that image fails, or its sum is wrong; its neighbours are intact",
    ),
    FaultSpec(
        "file_disk_full",
        "The disk is full when a data file begins.",
        "filewriter status: state error, and a sentence in error",
    ),
)
"""Of the files."""

_PATH: Final = {"path": ""}
"""A part of the path of the requests that are struck; empty: all."""

API_FAULTS: Final = (
    FaultSpec(
        "http_error",
        "A request is answered with an error.",
        "CommandRefused at the client",
        {"status": 503, **_PATH},
    ),
    FaultSpec(
        "slow_http",
        "A request is answered late.",
        "ControlUnitUnreachable at the client",
        {"delay_s": 10.0, **_PATH},
    ),
    FaultSpec(
        "hang_http",
        "A request is taken and never answered.",
        "ControlUnitUnreachable at the client, after its time-out",
        _PATH,
    ),
    FaultSpec(
        "close_http",
        "The connection is cut off in place of an answer.",
        "ControlUnitUnreachable at the client",
        _PATH,
    ),
    FaultSpec(
        "garbage_http",
        "An answer that calls itself JSON is none.",
        "ControlUnitError at the client",
        _PATH,
    ),
    FaultSpec(
        "wrong_type_http",
        "A value is a list of nothing, whatever its value_type says.",
        "ControlUnitError at the client",
        _PATH,
    ),
)
"""Of requests: what can be wrong with an answer, beyond its content."""

FAULTS: Final = (*UNIT_FAULTS, *STREAM_FAULTS, *FILE_FAULTS, *API_FAULTS)
