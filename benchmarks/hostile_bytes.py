"""Byte strings that are nearly what a port expects, or nothing like it. For `lab_fuzz.py`."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

GIANT = 300_000


def strings(rng: random.Random, seeds: Sequence[bytes], count: int) -> Iterator[bytes]:
    """Hostile byte strings."""
    for number in range(count):
        kind = rng.random()
        if number == 0 and rng.random() < 0.1:
            yield rng.choice((b"A", b"\x00", b"[", b"9", b"\r", b" ")) * GIANT
        elif kind < 0.25:
            yield rng.randbytes(rng.randrange(1, 200))
        else:
            yield mutated(rng, bytearray(rng.choice(seeds)))


def mutated(rng: random.Random, data: bytearray) -> bytes:
    """A good command made worse."""
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        what = rng.randrange(6)
        if what == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            del data[at:]
        elif what == 2:
            data[at:at] = data[: rng.randrange(40)]
        elif what == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 6))
        elif what == 4:
            data[at:at] = rng.choice(
                (b"-1", b"1e999", b"9" * 400, b"\xff\xfe", b"%n", b"\x00", b"{}", b"?", b";")
            )
        else:
            del data[at : at + rng.randrange(1, 4)]
    return bytes(data)
