"""The detector as a function of time: ticks, train ids, orders, and what it says when it falls behind."""

from collections.abc import Iterable, Iterator, Sequence

import httpx
import pytest

from sim.kernel import NS_PER_MS, FaultBoard
from sim.kernel.clock import ManualClock, manual_clock
from sim.xtdf.build import make_detector
from sim.xtdf.config import AgipdTable, DsscTable
from sim.xtdf.control import control_app
from sim.xtdf.device import Detector, NotWhileAcquiring
from sim.xtdf.fault_specs import FAULTS

FIRST = 2_000_000_000
TABLE = AgipdTable(modules=[2, 9], memory_cells=1, first_train_id=FIRST)


class Log:
    """A link that notes train ids."""

    datagrams_sent = bytes_sent = 0

    def __init__(self, refused: int = 0) -> None:
        self.trains: list[int] = []
        self.refused = refused

    def send(self, datagrams: Iterable[Sequence[bytes | memoryview]]) -> int:
        first, *_ = datagrams
        self.trains.append(int.from_bytes(bytes(first[0][16:24]), "little"))
        return self.refused

    def close(self) -> None:
        pass


@pytest.fixture
def clock() -> ManualClock:
    return manual_clock()


@pytest.fixture
def detector() -> Iterator[Detector]:
    detector = make_detector("agipd", TABLE, 1, {}, FaultBoard("agipd", FAULTS))
    for module in detector.modules:
        module.link = Log()
    yield detector
    detector.close()


def trains(detector: Detector) -> list[list[int]]:
    return [module.link.trains for module in detector.modules]  # type: ignore[union-attr]


async def test_trains_leave_at_ticks_and_carry_their_ids(clock: ManualClock, detector: Detector) -> None:
    attached = clock.attach(detector)
    await clock.advance(250 * NS_PER_MS)
    detector.order(2)
    await attached.poke()
    assert detector.acquisition is not None
    assert (detector.acquisition.first_train_id, detector.acquisition.last_train_id) == (FIRST + 3, FIRST + 4)
    await clock.advance(50 * NS_PER_MS - 1)
    assert trains(detector) == [[], []]
    await clock.advance(1)
    assert trains(detector) == [[FIRST + 3], [FIRST + 3]]
    assert detector.state == "ACQUIRING"
    await clock.advance(1000 * NS_PER_MS)
    assert trains(detector) == [[FIRST + 3, FIRST + 4]] * 2
    assert (detector.state, detector.trains_sent) == ("PASSIVE", 2)


async def test_an_order_at_a_tick_begins_at_the_next(clock: ManualClock, detector: Detector) -> None:
    attached = clock.attach(detector)
    await clock.advance(300 * NS_PER_MS)
    detector.order(1)
    await attached.poke()
    await clock.advance(100 * NS_PER_MS)
    assert trains(detector)[0] == [FIRST + 4]


async def test_stop_ends_after_the_train_and_an_order_may_follow(
    clock: ManualClock, detector: Detector
) -> None:
    attached = clock.attach(detector)
    detector.order(100)
    await attached.poke()
    with pytest.raises(NotWhileAcquiring, match="agipd is ACQUIRING"):
        detector.order(1)
    await clock.advance(200 * NS_PER_MS)
    detector.stop()
    await clock.advance(500 * NS_PER_MS)
    assert detector.trains_sent == 2
    detector.order(1)
    await attached.poke()
    await clock.advance(100 * NS_PER_MS)
    assert trains(detector)[1] == [FIRST + 1, FIRST + 2, FIRST + 8]


async def test_slow_sending_is_a_problem_told_once(clock: ManualClock) -> None:
    times = iter(range(0, 10**12, 150 * NS_PER_MS))
    made = make_detector("agipd", TABLE, 1, {}, FaultBoard("agipd", FAULTS))
    detector = Detector("agipd", TABLE, made.modules, lambda: next(times))
    attached = clock.attach(detector)
    detector.order(5)
    await attached.poke()
    await clock.advance(1000 * NS_PER_MS)
    (problem,) = detector.problems
    assert "took 150 ms" in problem.text
    assert problem.at == 100 * NS_PER_MS


async def test_nobody_listening_is_a_problem(clock: ManualClock, detector: Detector) -> None:
    detector.modules[1].link = Log(refused=4)
    attached = clock.attach(detector)
    detector.order(2)
    await attached.poke()
    await clock.advance(1000 * NS_PER_MS)
    assert [problem.text for problem in detector.problems] == [
        "nobody listens for module 9: 8 datagrams came back; start its receiver before the acquisition"
    ]


@pytest.fixture
async def control(clock: ManualClock, detector: Detector) -> httpx.AsyncClient:
    attached = clock.attach(detector)
    transport = httpx.ASGITransport(control_app(detector, clock, attached.poke))
    return httpx.AsyncClient(transport=transport, base_url="http://agipd")


async def test_control_shows_sets_starts_and_stops(control: httpx.AsyncClient, clock: ManualClock) -> None:
    async with control:
        shown = (await control.get("/")).json()
        assert shown == {
            "state": "PASSIVE",
            "gain_mode": "adaptive",
            "illumination": "dark",
            "transmission": 1.0,
            "trains_sent": 0,
            "next_train_id": FIRST + 1,
            "conditions": {
                "Sensor Bias Voltage": 300.0,
                "Memory cells": 1.0,
                "Acquisition rate": 1.1,
                "Pixels X": 512.0,
                "Pixels Y": 128.0,
                "Gain setting": 0.0,
                "Source energy": 9.2,
            },
            "frames": 1,
            "links": {
                channel: {"datagrams": 0, "bytes": 0, "refused": 0, "block_bytes": 267_776}
                for channel in ("2", "9")
            },
        }
        changed = await control.put("/", json={"gain_mode": "fixed_low"})
        assert (changed.json()["gain_mode"], changed.json()["illumination"]) == ("fixed_low", "dark")
        started = await control.post("/start", json={"trains": 2})
        assert started.json() == {"first_train_id": FIRST + 1, "last_train_id": FIRST + 2}
        for refused in (
            await control.post("/start", json={"trains": 1}),
            await control.put("/", json={"illumination": "flat"}),
        ):
            assert refused.status_code == 409
            assert "agipd is ACQUIRING" in refused.json()["error"]
        await clock.advance(100 * NS_PER_MS)
        assert (await control.post("/stop")).json() == {"state": "PASSIVE", "trains_sent": 1}


async def test_an_attenuator_weakens_the_light_of_all_modules(
    control: httpx.AsyncClient, detector: Detector
) -> None:
    async with control:
        weaker = await control.put("/", json={"illumination": "flat", "transmission": 0.25})
        assert weaker.json()["transmission"] == 0.25
        assert [module.model.transmission for module in detector.modules] == [0.25, 0.25]
        refused = await control.put("/", json={"transmission": 1.5})
        assert refused.status_code == 422
        assert "transmission" in refused.json()["error"]


async def test_control_lets_a_dssc_send_its_dummy_readout_but_no_gain_stage(clock: ManualClock) -> None:
    dssc = make_detector("dssc", DsscTable(modules=1, memory_cells=1), 1, {}, FaultBoard("dssc", FAULTS))
    app = control_app(dssc, clock, clock.attach(dssc).poke)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://dssc") as control:
        assert (await control.put("/", json={"illumination": "dummy"})).json()["illumination"] == "dummy"
        refused = await control.put("/", json={"gain_mode": "fixed_high"})
        assert refused.status_code == 422
        assert "a DSSC has no gain stages" in refused.json()["error"]
    dssc.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        (
            "PUT",
            "/",
            b'{"illumination": "bright"}',
            422,
            "illumination: Input should be 'dark', 'flat', 'rings', 'spots' or 'dummy'",
        ),
        ("PUT", "/", b'{"illumination": "dummy"}', 422, "only a DSSC has a dummy readout"),
        ("PUT", "/", b'{"gain": 1}', 422, "gain: Extra inputs are not permitted"),
        ("PUT", "/", b"\xff\xfe", 422, "Invalid JSON"),
        ("POST", "/start", b'{"trains": 0}', 422, "trains: Input should be greater than or equal to 1"),
        ("POST", "/start", b'{"trains": true}', 422, "trains: Input should be a valid integer"),
        ("POST", "/start", b"", 422, "Invalid JSON"),
        ("POST", "/start", b"[" * 5000, 413, "longer than 4096 bytes"),
        ("POST", "/start", b"[" * 4000, 422, "Invalid JSON"),
    ],
)
async def test_control_refuses_with_a_sentence(
    control: httpx.AsyncClient, method: str, path: str, body: bytes, status: int, sentence: str
) -> None:
    async with control:
        answer = await control.request(method, path, content=body)
        assert answer.status_code == status
        assert sentence in answer.json()["error"]
        assert (await control.get("/")).json()["state"] == "PASSIVE"
