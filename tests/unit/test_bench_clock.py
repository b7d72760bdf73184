"""The bench's clock: who holds it, and in which order it wakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from fat.bench.clock import BenchClock, Mode, Participant, Wait
from fat.bench.shown_time import ShownTime as Written
from fat.errors import UsageError
from sim.kernel.shown_time import ShownTime

S = 1_000_000_000


class Sleeper:
    """A participant as a coroutine sees it."""

    def __init__(self, clock: BenchClock, name: str) -> None:
        self.clock, self.participant, self._number = clock, clock.join(name), 0

    async def until(self, t_ns: int | None) -> int:
        woken: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def answer(now: int) -> None:
            woken.set_result(now)

        self._number += 1
        self.clock.wait(self.participant, Wait(self._number, t_ns, answer))
        return await woken

    async def cancel(self) -> None:
        await self.clock.cancel(self.participant, self._number)


MakeClock = Callable[..., BenchClock]


@pytest.fixture
async def make_clock() -> AsyncIterator[MakeClock]:
    clocks: list[BenchClock] = []

    def make(mode: Mode, **options: float) -> BenchClock:
        clock = BenchClock(mode, **options)  # type: ignore[arg-type]
        clock.start()
        clocks.append(clock)
        return clock

    yield make
    for clock in clocks:
        await clock.stop()


async def test_skip_jumps_to_the_earliest_wait_once_all_wait(make_clock: MakeClock) -> None:
    clock = make_clock("skip")
    a, b = Sleeper(clock, "a"), Sleeper(clock, "b")
    late = asyncio.create_task(a.until(3600 * S))
    assert await b.until(5 * S) == 5 * S
    assert clock.now == 5 * S
    last = asyncio.create_task(b.until(7200 * S))
    assert await late == 3600 * S
    clock.leave(a.participant)
    assert await last == 7200 * S


async def test_a_busy_participant_holds_skip_time(make_clock: MakeClock) -> None:
    clock = make_clock("skip")
    waiting, busy = Sleeper(clock, "waiting"), Sleeper(clock, "busy")
    wait = asyncio.create_task(waiting.until(S))
    for _ in range(20):
        await asyncio.sleep(0)  # let the clock run as far as it will
    assert clock.now == 0
    assert not wait.done()
    clock.leave(busy.participant)
    assert await wait == S


async def test_a_wait_without_end_does_not_move_time_and_can_be_cancelled(make_clock: MakeClock) -> None:
    clock = make_clock("skip")
    a = Sleeper(clock, "a")
    wait = asyncio.create_task(a.until(None))
    for _ in range(20):
        await asyncio.sleep(0)
    assert clock.participants() == {"a": None}
    await a.cancel()
    assert await wait == 0
    assert clock.participants() == {"a": "busy"}


async def test_manual_time_wakes_in_order_and_stops_at_its_goal(make_clock: MakeClock) -> None:
    clock = make_clock("manual")
    woken: list[int] = []
    a = Sleeper(clock, "a")

    async def tick() -> None:
        for t in (1, 2, 3, 4):
            now = await a.until(t * S)
            woken.append(now)
        await a.until(None)

    task = asyncio.create_task(tick())
    assert await clock.advance(2 * S + 1) == 2 * S + 1
    assert woken == [1 * S, 2 * S]
    assert await clock.advance(10 * S) == 12 * S + 1
    assert woken == [1 * S, 2 * S, 3 * S, 4 * S]
    task.cancel()


async def test_only_a_manual_clock_can_be_advanced_and_never_backward(make_clock: MakeClock) -> None:
    with pytest.raises(UsageError, match="skip mode"):
        await make_clock("skip").advance(1)
    with pytest.raises(UsageError, match="cannot go back"):
        await make_clock("manual").advance(-1)


async def test_wall_time_passes_whether_or_not_someone_is_busy(make_clock: MakeClock) -> None:
    clock = make_clock("wall")
    a = Sleeper(clock, "a")
    Sleeper(clock, "busy")
    t = clock.now
    assert await a.until(t + 20_000_000) >= t + 20_000_000


async def test_scaled_time_stalls_while_someone_is_busy(make_clock: MakeClock) -> None:
    clock = make_clock("scaled", speed=1000.0)
    a, busy = Sleeper(clock, "a"), Sleeper(clock, "busy")
    stalled_at = clock.now
    wait = asyncio.create_task(a.until(stalled_at + 10 * S))
    for _ in range(50):
        await asyncio.sleep(0)
    assert clock.now == stalled_at
    clock.leave(busy.participant)
    assert await wait >= stalled_at + 10 * S


async def test_appointments_are_kept_before_anybody_sees_their_time(make_clock: MakeClock) -> None:
    clock = make_clock("skip")
    order: list[str] = []

    async def act() -> None:
        order.append(f"act {clock.now // S}")

    clock.appoint(3 * S, act)
    a = Sleeper(clock, "a")
    order.append(f"woken {await a.until(3 * S) // S}")
    assert order == ["act 3", "woken 3"]


async def test_appointments_alone_do_not_move_skip_time(make_clock: MakeClock) -> None:
    clock = make_clock("skip")

    async def act() -> None:
        pytest.fail("nobody waited")

    clock.appoint(S, act)
    for _ in range(20):
        await asyncio.sleep(0)
    assert clock.now == 0


async def test_a_participant_can_wait_for_one_thing_only(make_clock: MakeClock) -> None:
    clock = make_clock("skip")
    Sleeper(clock, "holder")
    a = Sleeper(clock, "a")
    first = asyncio.create_task(a.until(S))
    await asyncio.sleep(0)
    with pytest.raises(UsageError, match="already waits"):
        await a.until(2 * S)
    first.cancel()


async def test_leaving_frees_the_clock() -> None:
    clock = BenchClock("skip")
    participant: Participant = clock.join("a")
    assert clock.participants() == {"a": "busy"}
    clock.leave(participant)
    assert clock.participants() == {}


async def test_only_wall_time_has_a_zero_on_the_monotonic_clock(make_clock: MakeClock) -> None:
    clock = make_clock("wall", start_ns=S)
    zero = clock.wall_zero_ns
    assert zero is not None
    assert clock.wall_zero_ns == zero
    for mode in ("skip", "manual", "scaled"):
        assert make_clock(mode).wall_zero_ns is None


async def test_time_is_shown_before_anybody_is_told(make_clock: MakeClock) -> None:
    clock = make_clock("skip", start_ns=S)
    assert clock.shown_at is not None
    memory = ShownTime(clock.shown_at)
    assert memory.look() == S
    participant, seen = clock.join("a"), asyncio.get_running_loop().create_future()

    async def answer(now: int) -> None:
        seen.set_result((now, memory.look()))

    clock.wait(participant, Wait(1, 5 * S, answer))
    assert await seen == (5 * S, 5 * S)
    clock.leave(participant)
    await clock.stop()
    assert clock.shown_at is None
    memory.close()


async def test_what_is_half_written_is_not_read() -> None:
    written = Written()
    memory = ShownTime(written.path)
    written.show(S)
    written._cells[0] = 2 * S
    assert memory.look() is None
    written._cells[1] = 2 * S
    assert memory.look() == 2 * S
    memory.close()
    written.close()


async def test_a_manual_clock_shows_its_goal(make_clock: MakeClock) -> None:
    clock = make_clock("manual")
    memory = ShownTime(str(clock.shown_at))
    await clock.advance(7 * S)
    assert memory.look() == 7 * S
    memory.close()
    for mode in ("wall", "scaled"):
        assert make_clock(mode).shown_at is None
