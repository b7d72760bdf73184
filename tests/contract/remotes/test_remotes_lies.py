"""A remote that answers with something else than was asked for: named, refused, and another one is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim.caldb.remotes import remote as remote_module
from sim.caldb.remotes.messages import Answer

Lie = Callable[[dict[str, Any]], None]


def version(**other: Any) -> Lie:
    return lambda content: content["version"].update(other)


def condition(name: str, **other: Any) -> Lie:
    def lie(content: dict[str, Any]) -> None:
        for entry in content["conditions"]:
            if entry["name"] == name:
                entry.update(other)

    return lie


def lost_condition(content: dict[str, Any]) -> None:
    del content["conditions"][0]


def one_more_condition(content: dict[str, Any]) -> None:
    content["conditions"].append({"name": "Gain mode", "value": 1.0, "lower": 0.0, "upper": 0.0})


def array(**other: Any) -> Lie:
    return lambda content: content["array"].update(other)


def missing(name: str) -> Lie:
    def lie(content: dict[str, Any]) -> None:
        del content[name]

    return lie


def envelope(**other: Any) -> Lie:
    return lambda content: content.update(other)


LIES: dict[str, tuple[Lie, str]] = {
    "another version": (version(id=99), "asked was Offset of AGIPD_SIM_M100"),
    "another module": (version(pdu="AGIPD_SIM_M101"), "sent Offset of AGIPD_SIM_M101"),
    "another calibration": (version(calibration="Noise"), "sent Noise of AGIPD_SIM_M100"),
    "another file": (version(path="xfel/cal/other.h5"), "from xfel/cal/other.h5"),
    "another dataset": (version(data_set="/AGIPD_SIM_M100/Noise/0"), "asked was Offset"),
    "another voltage": (condition("Sensor Bias Voltage", value=200.0), "sensor bias voltage is 200"),
    "too few conditions": (lost_condition, "for other conditions: sensor bias voltage was asked for"),
    "too many conditions": (one_more_condition, "for other conditions: gain mode was not asked for"),
    "another shape": (array(shape=[128, 512, 3, 1]), r"shape \(128, 512, 3, 1\), but \(128, 512, 1, 3\)"),
    "a giant shape": (array(shape=[2**39, 2**39, 1, 3]), "shape that cannot be"),
    "fewer axes": (array(shape=[128 * 512 * 3], dims=["cell"]), "are not fast_scan"),
    "other axes": (array(dims=["cell", "fast_scan", "slow_scan", "gain"]), "with shape"),
    "another dtype": (array(dtype="<f8"), "sent 786432 bytes"),
    "objects": (array(dtype="|O"), "not as numbers"),
    "no dtype at all": (array(dtype="nonsense"), "unknown dtype 'nonsense'"),
    "another checksum": (array(sha256="0" * 64), "arrived damaged"),
    "integers": (array(dtype="<i4"), "arrived damaged"),
    "no array": (missing("array"), "holds no array"),
    "no version": (missing("version"), "holds no version"),
    "no conditions": (missing("conditions"), "conditions are no list"),
    "another schema": (envelope(schema="stellwerk-caldb-remote/2"), "not of schema stellwerk-caldb-remote/1"),
    "another request": (envelope(id=4711), "is to request 4711"),
    "neither yes nor no": (envelope(ok="yes"), "'ok' is missing or of a wrong type"),
}


def tell(monkeypatch: pytest.MonkeyPatch, change: Callable[[Answer], Answer]) -> None:
    """Let the first remote change its answers to `fetch`."""
    honest = remote_module.answer_frames

    def frames(remote: str, number: int | None, answer: Answer) -> Any:
        lies = remote.endswith("_1") and "meta_only" in answer.content
        return honest(remote, number, change(answer) if lies else answer)

    monkeypatch.setattr(remote_module, "answer_frames", frames)


@pytest.mark.parametrize("lie", LIES)
async def test_a_wrong_answer_is_named_and_another_remote_asked(
    remotes: Any, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    await remotes.inject()
    spoil, words = LIES[lie]

    def change(answer: Answer) -> Answer:
        content = {**answer.content}
        spoil(content)
        return replace(answer, content=content)

    tell(monkeypatch, change)
    client = remotes.client()
    np.testing.assert_array_equal(await remotes.fetch(client), remotes.offset())
    (failure,) = client.remotes.failures
    assert failure.wrong
    with pytest.raises(type(failure), match=words):
        raise failure
    assert remotes.addresses[0] in str(failure)


@pytest.mark.parametrize("data", [None, b"", b"short", bytes(786_432), bytes(9 << 20)])
async def test_wrong_data_are_refused(
    remotes: Any, monkeypatch: pytest.MonkeyPatch, data: bytes | None
) -> None:
    await remotes.inject()
    told = None if data is None else memoryview(data)
    tell(monkeypatch, lambda answer: replace(answer, data=told))
    client = remotes.client()
    np.testing.assert_array_equal(await remotes.fetch(client), remotes.offset())
    assert len(client.remotes.failures) == 1
