"""The simulation clock: devices advance at their wakes, and when poked."""

from __future__ import annotations

from dataclasses import dataclass, field

from sim.kernel.clock import manual_clock, wall_clock
from sim.kernel.time import NS_PER_MS, NS_PER_S, SimTime


@dataclass
class Ticker:
    period_ns: int | None
    seen: list[int] = field(default_factory=list)

    def advance(self, now: SimTime, /) -> SimTime | None:
        self.seen.append(now)
        return None if self.period_ns is None else SimTime(now + self.period_ns)


async def test_a_device_advances_at_once_and_at_each_wake() -> None:
    clock, device = manual_clock(), Ticker(NS_PER_S)
    clock.attach(device)
    await clock.advance(3 * NS_PER_S)
    assert device.seen == [0, NS_PER_S, 2 * NS_PER_S, 3 * NS_PER_S]


async def test_a_poke_advances_now_and_replaces_the_wake() -> None:
    clock, device = manual_clock(), Ticker(NS_PER_S)
    attached = clock.attach(device)
    await clock.advance(NS_PER_S // 2)
    await attached.poke()
    await clock.advance(NS_PER_S)
    assert device.seen == [0, NS_PER_S // 2, 3 * NS_PER_S // 2]


async def test_devices_wake_in_the_order_of_time() -> None:
    clock = manual_clock()
    order: list[tuple[str, int]] = []

    @dataclass
    class Named:
        name: str
        period_ns: int

        def advance(self, now: SimTime, /) -> SimTime | None:
            order.append((self.name, now))
            return SimTime(now + self.period_ns)

    clock.attach(Named("slow", 3))
    clock.attach(Named("fast", 2))
    await clock.advance(6)
    assert [t for _, t in order] == sorted(t for _, t in order)
    assert order.count(("fast", 4)) == 1


async def test_on_wall_time_a_poke_sees_the_present() -> None:
    clock, device = wall_clock(), Ticker(None)
    await clock.start()
    attached = clock.attach(device)
    await attached.poke()
    before = await clock.read()
    await attached.poke()
    assert device.seen[-1] >= before
    await clock.stop()


async def test_who_cannot_wait_sees_the_present_once_the_clock_has_caught_up() -> None:
    clock = wall_clock()
    await clock.start()
    try:
        before = await clock.read()
        assert await clock.catch_up() >= before
        assert clock.now >= before
    finally:
        await clock.stop()
    stopped_at = clock.now
    assert await clock.catch_up() == stopped_at


async def test_on_wall_time_a_wake_comes() -> None:
    clock, device = wall_clock(), Ticker(2 * NS_PER_MS)
    await clock.start()
    attached = clock.attach(device)
    while len(device.seen) < 4:
        await attached.poke()
    await clock.stop()
    assert device.seen == sorted(device.seen)


async def test_what_a_device_dies_of_reaches_the_host_and_the_poker() -> None:
    class Broken:
        def advance(self, now: SimTime, /) -> SimTime | None:
            if now > 0:
                raise ZeroDivisionError
            return SimTime(1)

    clock = wall_clock()
    await clock.start()
    clock.attach(Broken())
    try:
        await clock.died()
    except ZeroDivisionError:
        pass
    else:
        raise AssertionError("the clock went on without the device")
    await clock.stop()
