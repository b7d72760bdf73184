"""Whatever control sources send, the file of control data takes it or leaves it out, and stays readable."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.daq.bridge_messages import BridgeSource
from pipeline.daq.control_sources import MOST_SOURCES, ControlSources, left_out
from pipeline.daq.controlfile import ControlFile
from pipeline.daq.growing import RunIdentity

NAMES = st.sampled_from(
    [
        "A/B/C",
        "A/B",
        "A/B/C:out",
        "A/B:out",
        "A/first",
        "A/value/x",
        "..",
        "/A",
        "A//B",
        "x\0y",
        "ö",
        "A/B:out/data",
        "",
    ]
)
KEYS = st.sampled_from(
    ["k", "k.value", "k.timestamp", "k.l", "k.l.m", "data.a", "data.a.b", "data.", "..", "a\0", "ü", ""]
)
VALUES = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(0, 3)),
    st.just("a\0b"),
)
ARRAYS = st.sampled_from(
    [
        np.zeros(0),
        np.zeros((2, 0)),
        np.array(3),
        np.arange(4),
        np.arange(4.0),
        np.zeros((2, 2), complex),
        np.ones(3, bool),
    ]
)
SOURCES = st.dictionaries(
    NAMES,
    st.tuples(st.dictionaries(KEYS, VALUES, max_size=4), st.dictionaries(KEYS, ARRAYS, max_size=3)),
    max_size=4,
)


def message(train_id: int, made: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, BridgeSource]:
    metadata = {"timestamp.tid": train_id}
    return {
        name: BridgeSource(metadata, dict(arrays), dict(values)) for name, (values, arrays) in made.items()
    }


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(SOURCES, min_size=1, max_size=6))
def test_no_message_ends_a_recording(trains: list[dict[str, Any]]) -> None:
    slow = ControlSources("tcp://127.0.0.1:1", "SUB")
    for train_id, made in enumerate(trains, 1):
        slow._take(message(train_id, made))
        if train_id == 1:
            folder = tempfile.TemporaryDirectory()
            path = Path(folder.name) / "RAW-R0001-DA01-S00000.h5"
            file = ControlFile(path, {}, slow.latest(), RunIdentity(1, 1, ""), 0, 0)
        file.append(train_id, train_id, slow.at(train_id))
    file.close()
    with h5py.File(path) as written:
        assert written["INDEX/trainId"].shape == (len(trains),)
        columns = []
        written["CONTROL"].visititems(lambda _, it: columns.append(it)) if "CONTROL" in written else None
        assert all(len(it) == len(trains) for it in columns if isinstance(it, h5py.Dataset))
    folder.cleanup()
    slow.stop()


def test_what_is_left_out_is_counted() -> None:
    made = message(
        1,
        {
            "A/B": ({"k": 1, "k.value": 2, "n": "a\0"}, {}),
            "": ({}, {}),
            "A/B:out": ({}, {"data.a": np.zeros(0)}),
        },
    )
    assert left_out(made) == 4


def test_a_value_of_another_kind_keeps_the_column_and_is_counted() -> None:
    slow = ControlSources("tcp://127.0.0.1:1", "SUB")
    with tempfile.TemporaryDirectory() as folder:
        slow._take(message(1, {"A/B": ({"number": 5, "real": 1.5, "text": "on"}, {})}))
        path = Path(folder) / "control.h5"
        file = ControlFile(path, {}, slow.latest(), RunIdentity(1, 1, ""), 0, 0)
        file.append(1, 1, slow.at(1))
        slow._take(message(2, {"A/B": ({"number": 2.5, "real": 2, "text": 7}, {})}))
        file.append(2, 2, slow.at(2))
        file.close()
        with h5py.File(path) as written:
            assert written["CONTROL/A/B/number/value"][:].tolist() == [5, 5]
            assert written["CONTROL/A/B/real/value"][:].tolist() == [1.5, 2.0]
            assert written["CONTROL/A/B/text/value"].asstr()[:].tolist() == ["on", "on"]
    assert slow.counters["forms_changed"] == 2
    slow.stop()


def test_new_names_for_ever_do_not_fill_the_memory() -> None:
    slow = ControlSources("tcp://127.0.0.1:1", "SUB")
    for train_id in range(1, 60):
        slow._take(message(train_id, {f"A/{train_id}/{k}": ({"k": 1}, {}) for k in range(20)}))
    assert len(slow.describe()["sources"]) == MOST_SOURCES
    slow.stop()
