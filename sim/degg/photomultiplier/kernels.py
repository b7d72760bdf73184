"""Light, dark counts and noise become photoelectrons, compiled: docs/lab-modules-physics.md, How events are made."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.degg.draws.kernels import (
    F32,
    F64,
    I64,
    LOW16,
    PER_32,
    S16,
    S32,
    bits,
    compiled,
    normal_deviate,
    uniform,
)
from sim.degg.photomultiplier.layout import (
    CHILD_LEAST,
    CHILD_MEDIAN,
    CHILD_MOST,
    CHILD_SIGMA,
    CHILDREN,
    COMMON,
    DARK_GAP,
    DELAY,
    EACH,
    FILLED,
    FIRST,
    GAIN,
    GROUPS,
    LATE,
    LATE_MEAN,
    LIVE,
    MOST_CHILDREN,
    MOST_PENDING,
    MU,
    NEXT,
    NEXT_DARK,
    NEXT_NOISE,
    NOISE_GAP,
    NOISE_LEAST,
    NOISE_SCALE,
    ONE_BY_ONE,
    PARENT,
    PENDING,
    PERIOD,
    PLAIN,
    PULSES,
    SHAPE_BEFORE,
    SHAPE_LENGTH,
    SPACING,
    TAIL,
    TAIL_SCALE,
    THRESHOLD,
    TWO,
    UNTIL,
    WIDTH,
)


@compiled
def _charge(u: Any, z: Any, p: Any) -> Any:
    """Charge of a photoelectron from a uniform and a normal deviate; 1 is the peak of the spectrum."""
    if u < p[TAIL]:
        # Exponential, cut at 1, by inversion: what is left of u below the tail's share is uniform.
        share = u / p[TAIL]
        return -p[TAIL_SCALE] * math.log(1.0 - share * (1.0 - math.exp(-1.0 / p[TAIL_SCALE])))
    if u < p[TAIL] + p[TWO]:
        return max(0.02, 2.0 + 1.4142135623730951 * p[WIDTH] * z)
    return max(0.02, 1.0 + p[WIDTH] * z)


@compiled
def _dark_charge(rng: Any, normal: Any, p: Any) -> Any:
    drawn = bits(rng)
    return _charge(np.float64(drawn >> S32) * PER_32, np.float64(normal[drawn & LOW16]), p)


@compiled
def _child(at: Any, rng: Any, normal: Any, p: Any, counts: Any, children: Any) -> None:
    """A dark pulse may be followed by a correlated one."""
    if uniform(rng) < p[PARENT] and counts[CHILDREN] < MOST_CHILDREN:
        delay = 0.0
        while delay < p[CHILD_LEAST] or delay > p[CHILD_MOST]:
            delay = p[CHILD_MEDIAN] * math.exp(p[CHILD_SIGMA] * normal_deviate(rng, normal))
        children[counts[CHILDREN]] = at + delay
        counts[CHILDREN] += 1


@compiled
def _poisson(rng: Any, normal: Any, mean: Any) -> Any:
    if mean <= 0.0:
        return 0
    if mean > 40.0:
        z = normal_deviate(rng, normal)
        return int(max(0.0, math.floor(mean + math.sqrt(mean) * z + (z * z - 1.0) / 6.0 + 0.5)))
    u = uniform(rng)
    k = 0
    term = math.exp(-mean)
    total = term
    while u > total and k < 200:
        k += 1
        term *= mean / k
        total += term
    return k


@compiled
def _push(at: Any, amplitude: Any, times: Any, amplitudes: Any, counts: Any) -> None:
    n = counts[PENDING]
    if n < MOST_PENDING:
        times[n] = at
        amplitudes[n] = amplitude
        counts[PENDING] = n + 1


@compiled
def _flash(
    moment: Any, source: Any, rng: Any, normal: Any, p: Any, times: Any, amplitudes: Any, counts: Any
) -> None:
    """One pulse of light whose mean arrival is *moment*: its photoelectrons are put with those that wait."""
    if source[PLAIN] > 0.0:
        _push(moment, source[PLAIN], times, amplitudes, counts)
        return
    n = _poisson(rng, normal, source[MU])
    if n <= ONE_BY_ONE:
        late, kept = p[LATE], 1.0 / (1.0 - p[LATE])
        for _ in range(n):
            # One draw: 16 bits each for jitter and charge, 32 for what kind of photoelectron it is.
            drawn = bits(rng)
            t = moment + source[EACH] * normal[drawn & LOW16]
            z = np.float64(normal[(drawn >> S16) & LOW16])
            u = np.float64(drawn >> S32) * PER_32
            if u < late:
                t -= p[LATE_MEAN] * math.log(uniform(rng))
                u /= late
            else:
                u = (u - late) * kept
            _push(t, p[GAIN] * _charge(u, z, p), times, amplitudes, counts)
        return
    # Mean and variance of one photoelectron's charge; a group of many is normal.
    cut = math.exp(-1.0 / p[TAIL_SCALE])
    s = p[TAIL_SCALE]
    tail = s - cut / (1.0 - cut)
    tail_2 = (2.0 * s * s - cut * (1.0 + 2.0 * s + 2.0 * s * s)) / (1.0 - cut)
    one = 1.0 - p[TAIL] - p[TWO]
    w2 = p[WIDTH] * p[WIDTH]
    mean = one + p[TAIL] * tail + 2.0 * p[TWO]
    square = one * (1.0 + w2) + p[TAIL] * tail_2 + p[TWO] * (4.0 + 2.0 * w2)
    size = n / GROUPS
    spread = math.sqrt(size * (square - mean * mean))
    for _ in range(GROUPS):
        t = moment + source[EACH] * normal_deviate(rng, normal)
        if uniform(rng) < p[LATE]:
            t -= p[LATE_MEAN] * math.log(uniform(rng))
        _push(t, p[GAIN] * (size * mean + spread * normal_deviate(rng, normal)), times, amplitudes, counts)


@compiled
def fill(
    until: Any, p: Any, sources: Any, s: Any, counts: Any, rng: Any, normal: Any, times: Any, amplitudes: Any,
    children: Any,
) -> None:  # fmt: skip
    """Make everything that begins before *until*."""
    while s[NEXT_DARK] < until:
        at = s[NEXT_DARK]
        _push(at, p[GAIN] * _dark_charge(rng, normal, p), times, amplitudes, counts)
        s[NEXT_DARK] = at - p[DARK_GAP] * math.log(uniform(rng))
        _child(at, rng, normal, p, counts, children)
    child = 0
    while child < counts[CHILDREN]:
        if children[child] < until:
            _push(children[child], p[GAIN] * _dark_charge(rng, normal, p), times, amplitudes, counts)
            counts[CHILDREN] -= 1
            children[child] = children[counts[CHILDREN]]
        else:
            child += 1
    while s[NEXT_NOISE] < until:
        at = s[NEXT_NOISE]
        height = p[NOISE_LEAST] - p[NOISE_SCALE] * math.log(uniform(rng))
        _push(math.floor(at), height, times, amplitudes, counts)
        s[NEXT_NOISE] = at - p[NOISE_GAP] * math.log(uniform(rng))
    for row in range(sources.shape[0]):
        source = sources[row]
        while source[FIRST] + source[NEXT] * source[PERIOD] < until:
            at = source[FIRST] + source[NEXT] * source[PERIOD]
            source[NEXT] += 1.0
            at += source[DELAY] + source[COMMON] * normal_deviate(rng, normal)
            for pulse in range(int(source[PULSES])):
                _flash(at + pulse * source[SPACING], source, rng, normal, p, times, amplitudes, counts)
    s[FILLED] = until


@compiled
def begin(p: F64, s: F64, rng: NDArray[np.uint64]) -> None:
    """A segment begins at FILLED: dark counts and noise have no memory, so they are drawn anew with its rates."""
    s[NEXT_DARK] = s[FILLED] - p[DARK_GAP] * math.log(uniform(rng))
    s[NEXT_NOISE] = s[FILLED] - p[NOISE_GAP] * math.log(uniform(rng))


@compiled
def next_beginning(s: Any, sources: Any, counts: Any, children: Any) -> Any:
    """When the next thing begins that is not made yet."""
    at = min(s[NEXT_DARK], s[NEXT_NOISE])
    for child in range(counts[CHILDREN]):
        at = min(at, children[child])
    for row in range(sources.shape[0]):
        at = min(at, sources[row, FIRST] + sources[row, NEXT] * sources[row, PERIOD])
    return at


@compiled
def forget(before: Any, times: Any, amplitudes: Any, counts: Any) -> None:
    """Drop photoelectrons whose pulse has ended before a moment."""
    kept = 0
    for n in range(counts[PENDING]):
        if times[n] >= before - (SHAPE_LENGTH - SHAPE_BEFORE):
            times[kept] = times[n]
            amplitudes[kept] = amplitudes[n]
            kept += 1
    counts[PENDING] = kept


@compiled
def _first_child(counts: Any, children: Any) -> Any:
    """When the next correlated pulse comes, and its place; infinity and -1: none waits."""
    at, place = math.inf, -1
    for child in range(counts[CHILDREN]):
        if children[child] < at:
            at, place = children[child], child
    return at, place


@compiled
def pass_small(
    reach: Any, least: Any, p: Any, sources: Any, s: Any, counts: Any, rng: Any, normal: Any, times: Any,
    amplitudes: Any, children: Any,
) -> None:  # fmt: skip
    """Pass dark pulses that are too small to trigger and alone within *reach*: most of them, if the threshold is high.

    Nothing waits when this begins. The first pulse that matters is put with those that wait.
    """
    other = min(s[NEXT_NOISE], p[UNTIL])
    for row in range(sources.shape[0]):
        other = min(other, sources[row, FIRST] + sources[row, NEXT] * sources[row, PERIOD])
    other -= reach
    first, child = _first_child(counts, children)
    while min(s[NEXT_DARK], first) < other:
        at = min(s[NEXT_DARK], first)
        s[FILLED] = at
        if child >= 0 and first <= s[NEXT_DARK]:
            counts[CHILDREN] -= 1
            children[child] = children[counts[CHILDREN]]
        else:
            s[NEXT_DARK] = at - p[DARK_GAP] * math.log(uniform(rng))
            _child(at, rng, normal, p, counts, children)
        amplitude = p[GAIN] * _dark_charge(rng, normal, p)
        first, child = _first_child(counts, children)
        if amplitude >= least or min(s[NEXT_DARK], first) < at + reach:
            _push(at, amplitude, times, amplitudes, counts)
            return


@compiled
def count(
    end: float, dead: float, factor: float, smear: float, p: F64, sources: F64, s: F64, counts: I64,
    rng: NDArray[np.uint64], normal: F32, times: F64, amplitudes: F32, children: F64,
) -> int:  # fmt: skip
    """Counts of a scaler from FILLED to *end*: pulses whose height passes THRESHOLD, blind for *dead* ticks after each.

    factor  height of the discriminator's signal for a pulse of height 1; smear  its noise, counts
    Light's photoelectrons of one pulse are added up; other pulses count one by one.
    """
    total = 0
    live = s[LIVE]
    while True:
        at = next_beginning(s, sources, counts, children)
        if at >= end:
            break
        fill(at + 1e-6, p, sources, s, counts, rng, normal, times, amplitudes, children)
        height = 0.0
        for n in range(counts[PENDING]):
            height += amplitudes[n]
        many = counts[PENDING]
        counts[PENDING] = 0
        if many > 0 and at >= live and height * factor + smear * normal_deviate(rng, normal) >= p[THRESHOLD]:
            total += 1
            live = at + dead
    s[FILLED] = end
    s[LIVE] = live
    return total
