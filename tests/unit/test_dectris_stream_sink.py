"""The streams as a whole: real sockets, both formats, both policies, the gate, and every fault on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from sim.dectris.sinks import ImageRun
from sim.dectris.stream import Policy, StreamOptions, StreamSink
from sim.errors import AddressTaken
from sim.kernel import FaultBoard, Transcript

Make = Callable[..., Any]


def numbers(messages: list[dict[str, Any]]) -> list[int]:
    found = (message.get("frame", message.get("image_id")) for message in messages)
    return [number for number in found if number is not None]


def test_a_series_of_stream_1_begins_with_its_start_and_ends_with_its_end(stream_bench: Make) -> None:
    bench = stream_bench()
    pull = bench.client()
    bench.begin(5)
    bench.take(3)
    bench.take(2, first=3)
    bench.sink.end()
    got = bench.whole(pull)
    assert [message["htype"] for message in got] == ["dheader-1.0", *["dimage-1.0"] * 5, "dseries_end-1.0"]
    assert numbers(got) == [0, 1, 2, 3, 4]
    assert {message["series"] for message in got} == {4}
    assert json.loads(got[5]["parts"][3])["start_time"] == 4000


def test_only_the_stream_that_the_format_names_is_fed(stream_bench: Make) -> None:
    bench = stream_bench(format="cbor")
    legacy, cbor = bench.client("stream"), bench.client("stream2")
    bench.begin(600)
    bench.take(600)
    bench.sink.end()
    got = bench.whole(cbor)
    assert [message["type"] for message in got] == ["start", *["image"] * 600, "end"]
    assert numbers(got) == list(range(600))
    assert not legacy.poll(0)


def test_what_is_held_while_disabled_goes_out_when_enabled(stream_bench: Make) -> None:
    bench = stream_bench(Policy.DROP, mode="disabled", header_detail="none")
    pull = bench.client()
    assert bench.sink.state == "disabled"
    bench.begin(5)
    bench.take(5)
    bench.sink.end()
    assert not pull.poll(50)
    bench.settings.mode, bench.settings.header_detail = "enabled", "basic"
    bench.sink.configured()
    got = bench.whole(pull)
    assert len(got[0]["parts"]) == 2
    assert numbers(got) == [0, 1, 2, 3, 4]
    assert bench.sink.dropped == 0


def test_what_is_held_of_an_older_series_is_lost_with_the_next_arm(stream_bench: Make) -> None:
    bench = stream_bench(mode="disabled")
    pull = bench.client()
    for number in (4, 5):
        bench.begin(2, number)
        bench.take(2)
    bench.sink.end()
    bench.settings.mode = "enabled"
    bench.sink.configured()
    assert {message["series"] for message in bench.whole(pull)} == {5}


def test_with_policy_drop_images_are_lost_and_counted_when_nobody_is_there(
    stream_bench: Make,
) -> None:
    bench = stream_bench(Policy.DROP)
    bench.begin(100)
    bench.take(100)
    bench.sink.end()
    assert bench.ended.wait(60)
    assert bench.sink.dropped == 100
    pull = bench.client()
    bench.begin(1, 5)
    assert bench.sink.dropped == 0
    bench.take(1)
    bench.sink.end()
    assert [message["series"] for message in bench.whole(pull)] == [5, 5, 5]


def test_with_policy_drop_what_came_and_what_was_dropped_is_all(stream_bench: Make) -> None:
    bench = stream_bench(Policy.DROP, queue=50)
    pull = bench.client()
    bench.begin(40_000)
    for first in range(0, 40_000, 4000):
        bench.take(4000, first=first)
    bench.sink.end()
    came = numbers(bench.whole(pull))
    assert came == sorted(set(came))
    assert len(came) + bench.sink.dropped == 40_000


def test_what_a_silence_has_kept_comes_whole_though_the_queue_is_short(stream_bench: Make) -> None:
    bench = stream_bench(Policy.DROP, queue=50)
    pull = bench.client()
    bench.faults.switch_on("silent_stream", times=1, delay_s=0.05, from_frame=3)
    bench.begin(3000)
    bench.take(3000)
    bench.sink.end()
    assert numbers(bench.whole(pull)) == list(range(3000))
    assert bench.sink.dropped == 0


def test_with_policy_block_a_full_stream_refuses_and_tells_of_room(stream_bench: Make) -> None:
    bench = stream_bench(queue=10)
    bench.begin(10_000)
    taken = bench.sink.images(ImageRun(0, 10_000, 0, 1000, 900, 0))
    assert taken == 10
    pull = bench.client()
    got: list[dict[str, Any]] = []
    while taken < 3000:
        if bench.sink.images(ImageRun(taken, 0, 0, 0, 0, 0)) == 0:
            bench.room.clear()
        more = bench.sink.images(ImageRun(taken, 3000 - taken, taken * 1000, 1000, 900, 0))
        taken += more
        while not more and not bench.room.is_set():
            if pull.poll(1):
                got.append(bench.read(pull))
    bench.sink.end()
    assert numbers(got + bench.whole(pull)) == list(range(3000))
    assert bench.sink.dropped == 0


def test_an_abort_acts_though_nobody_receives(stream_bench: Make) -> None:
    bench = stream_bench(queue=10)
    bench.begin(10_000)
    assert bench.sink.images(ImageRun(0, 10_000, 0, 1000, 900, 0)) == 10
    bench.sink.abort()
    assert bench.sink.state == "ready"
    assert bench.sink.dropped == 10
    got = bench.whole(bench.client())
    assert [message["htype"] for message in got] == ["dheader-1.0", "dseries_end-1.0"]


def test_a_port_that_is_taken_is_told(stream_bench: Make, stream_keys: Callable[..., Any]) -> None:
    port = int(stream_bench().addresses["stream"].rsplit(":", 1)[1])
    other = StreamSink(
        "dcu", stream_keys(), FaultBoard("dcu"), Transcript(None, lambda: 0),
        room_made=lambda: None, options=StreamOptions(legacy_port=port),
    )  # fmt: skip
    with pytest.raises(AddressTaken):
        asyncio.run(other.servers()["stream"].start())
    other.close()


def test_who_comes_and_goes_is_noted(stream_bench: Make) -> None:
    bench = stream_bench()
    pull = bench.client()
    bench.heard.clear()
    pull.close()
    assert bench.heard.wait(60)
    (came, first), (went, second) = bench.notes
    assert came == went
    assert came.startswith("127.0.0.1:")
    assert (first, second) == ("receives stream 1", "left stream 1")


def test_a_second_client_on_a_stream_is_remarked(stream_bench: Make) -> None:
    bench = stream_bench()
    bench.client()
    bench.client()
    assert "2 clients are connected" in bench.notes[1][1]


def test_arming_for_ever_with_nobody_there_stays_bounded(stream_bench: Make) -> None:
    bench = stream_bench()
    for number in range(1, 2000):
        bench.begin(1, number)
        bench.sink.end()
    got = bench.whole(bench.client())
    assert got[0]["series"] > 1
