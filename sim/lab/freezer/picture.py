"""A photograph of the freezer's panel: two rows of seven segments, three lamps, three keys, seen by a cheap camera.

The red row is the temperature of the air, the green one the set-point; in set mode the lamp SET is lit and the green
row is the set-point that is being changed. The same display gives the same bytes.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any, Final

import numpy as np

from sim.lab.freezer.glyphs import SEGMENTS, Field, digit_distance, label, point_distance
from sim.lab.freezer.panel import Display

WIDTH: Final = 480
HEIGHT: Final = 320
TILT: Final = 0.02
"""Radians by which the camera hangs askew."""
NOISE: Final = 2.0
REACH: Final = 34
"""Pixels beyond which the light of a lamp does not matter."""
THICKNESS: Final = 0.12
"""Half of a segment's, for its length."""
SPACING: Final = 1.62
"""From digit to digit, for a segment's length."""
CELLS: Final = 5
"""Digits of a row; the point belongs to the digit before it."""

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Colour = tuple[int, int, int]
Part = tuple[slice, slice]
"""Rows and columns of the picture."""

ALL: Final[Part] = (slice(None), slice(None))

RED: Final[Colour] = (255, 54, 32)
GREEN: Final[Colour] = (70, 255, 110)
AMBER: Final[Colour] = (255, 176, 40)
PRINT: Final[Colour] = (196, 200, 202)

ROWS: Final = {"actual": (166.0, 58.0, 27.0, RED), "set_point": (196.0, 148.0, 18.0, GREEN)}
"""Left and upper edge of the first digit, length of a segment, colour."""
LAMPS: Final = {"set_mode": (84.0, 72.0, "SET", AMBER), "runs": (84.0, 116.0, "RUN", GREEN)} | {
    "door": (84.0, 160.0, "DOOR", RED)
}
KEYS: Final = (("SET", 150.0), ("up", 250.0), ("down", 350.0))
KEY_ROW: Final = 252.0


def photograph(display: Display) -> Pixels:
    """The picture, of shape (HEIGHT, WIDTH, 3)."""
    picture = _panel().copy()
    for name, (left, top, length, colour) in ROWS.items():
        part = _band(left, top, length)
        distance = _row(part, str(getattr(display, name)), left, top, length)
        _glow(picture[part], distance, colour, THICKNESS * length)
    for name, (x, y, _, colour) in LAMPS.items():
        if getattr(display, name):
            part = _around(x, y, x, y)
            _glow(picture[part], _disc(part, x, y, 6.5), colour, 4.0)
    return _developed(picture, repr(display))


def darkness() -> Pixels:
    """A picture that shows nothing, as with a covered lens."""
    return _developed(np.full((HEIGHT, WIDTH, 3), 5.0, np.float32), "dark")


def _developed(picture: Field, name: str) -> Pixels:
    """With what a cheap sensor adds."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    rng = np.random.Generator(np.random.Philox(key=key))
    noise = rng.normal(0.0, NOISE, (HEIGHT, WIDTH, 1)).astype(np.float32)
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


@cache
def _pixels() -> tuple[Field, Field]:
    """Coordinates of the pixels on the freezer's front, which the camera sees askew."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    x, y = x - WIDTH / 2, y - HEIGHT / 2
    cosine, sine = np.float32(np.cos(TILT)), np.float32(np.sin(TILT))
    return x * cosine + y * sine + WIDTH / 2, y * cosine - x * sine + HEIGHT / 2


@cache
def _panel() -> Field:
    """The front with everything unlit."""
    x, y = _pixels()
    grain = np.random.Generator(np.random.Philox(key=1)).normal(0, 3.0, (HEIGHT, 1)).astype(np.float32)
    steel = 148 - 0.10 * y + 6 * np.sin(x / 90) + grain
    picture = np.stack([steel, steel * 1.01, steel * 1.03], axis=2).astype(np.float32)
    _fill(picture, _box(x, y, (240, 160), (206, 136), 14), (38, 40, 44))
    _fill(picture, _box(x, y, (280, 122), (144, 84), 6), (14, 11, 12))
    window = _box(x, y, (280, 122), (144, 84), 6)
    _fill(picture, np.maximum(window, 0.9 * y + 0.3 * x - 150), (24, 21, 23))
    for left, top, length, colour in ROWS.values():
        unlit: Colour = (22 + colour[0] // 16, 18 + colour[1] // 16, 18 + colour[2] // 16)
        part = _band(left, top, length)
        _fill(picture[part], _row(part, "8" * (CELLS - 1) + ".8", left, top, length), unlit)
    for x_lamp, y_lamp, name, _ in LAMPS.values():
        _fill(picture, _disc(ALL, x_lamp, y_lamp, 8), (18, 18, 20))
        _fill(picture, _disc(ALL, x_lamp, y_lamp, 6.5), (58, 54, 52))
        _write(picture, name, x_lamp - 6.0 * len(name), y_lamp + 12, 2.0)
    _write(picture, "PV", 143, 62, 1.6)
    _write(picture, "SV", 143, 152, 1.6)
    _write(picture, "°C", 392, 62, 2.0)
    _write(picture, "°C", 392, 152, 2.0)
    for name, middle in KEYS:
        _key(picture, name, middle)
    shade = 1.06 - 0.55 * (((x - 230) / WIDTH) ** 2 + ((y - 140) / HEIGHT) ** 2)
    return np.asarray(picture * shade[..., None], np.float32)


def _key(picture: Field, name: str, middle: float) -> None:
    x, y = _pixels()
    _fill(picture, _box(x, y, (middle, KEY_ROW + 2), (37, 20), 7), (16, 17, 19))
    _fill(picture, _box(x, y, (middle, KEY_ROW), (36, 19), 7), (92, 96, 102))
    _fill(picture, _box(x, y, (middle, KEY_ROW - 1), (33, 16), 6), (112, 116, 122))
    if name == "SET":
        _write(picture, name, middle - 19, KEY_ROW - 9, 2.2)
        return
    turned = 1 if name == "up" else -1
    rise = turned * (y - KEY_ROW)
    triangle = np.maximum(rise - 8, (np.abs(x - middle) * 1.25 - rise - 8) / np.float32(1.6))
    _fill(picture, triangle, PRINT)


def _around(left: float, top: float, right: float, bottom: float) -> Part:
    """The part of the picture that light from a rectangle reaches."""
    rows = slice(max(0, int(top) - REACH), min(HEIGHT, int(bottom) + REACH))
    return rows, slice(max(0, int(left) - REACH), min(WIDTH, int(right) + REACH))


def _band(left: float, top: float, length: float) -> Part:
    """The part of the picture that a row of digits reaches."""
    return _around(left, top, left + CELLS * SPACING * length, top + 2 * length)


def _row(part: Part, text: str, left: float, top: float, length: float) -> Field:
    """Distance to the lit segments of a number that stands at the right of its row."""
    x, y = (axis[part] for axis in _pixels())
    digits = text.replace(".", "")[-CELLS:]
    distance = np.full(x.shape, 99.0, np.float32)
    for place, digit in enumerate(digits, CELLS - len(digits)):
        u, v = x - left - place * SPACING * length, y - top
        near = digit_distance(u, v, SEGMENTS[digit], length, THICKNESS * length)
        np.minimum(distance, near, out=distance)
    if "." in text:
        # One decimal: the point belongs to the last digit but one.
        u, v = x - left - (CELLS - 2) * SPACING * length, y - top
        np.minimum(distance, point_distance(u, v, length, THICKNESS * length), out=distance)
    return distance


def _disc(part: Part, x: float, y: float, radius: float) -> Field:
    across, down = (axis[part] for axis in _pixels())
    return np.asarray(np.hypot(across - x, down - y) - radius, np.float32)


def _box(x: Field, y: Field, middle: tuple[float, float], half: tuple[float, float], radius: float) -> Field:
    """Distance to a box with round corners."""
    across = np.maximum(np.abs(x - middle[0]) - half[0] + radius, 0)
    down = np.maximum(np.abs(y - middle[1]) - half[1] + radius, 0)
    return np.asarray(np.hypot(across, down) - radius, np.float32)


def _write(picture: Field, text: str, left: float, top: float, size: float) -> None:
    x, y = _pixels()
    _mix(picture, label(x - left, y - top, text, size), PRINT)


def _fill(picture: Field, distance: Field, colour: Colour) -> None:
    _mix(picture, np.clip(0.5 - distance, 0, 1), colour)


def _mix(picture: Field, cover: Field, colour: Colour) -> None:
    picture += cover[..., None] * (np.asarray(colour, np.float32) - picture)


def _glow(picture: Field, distance: Field, colour: Colour, reach: float) -> None:
    """Light from a shape: bright inside and whiter in its middle, a halo around it."""
    inside = np.clip(0.5 - distance, 0, 1)
    halo = np.exp(-np.clip(distance, 0, 60) / np.float32(2.2 * reach))
    core = np.clip(-distance / np.float32(reach), 0, 1)
    light = np.asarray(colour, np.float32)
    picture += 0.30 * halo[..., None] * light
    _mix(picture, inside, colour)
    picture += (70 * core * inside)[..., None]
