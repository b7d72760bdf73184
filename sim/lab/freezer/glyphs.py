"""What the picture of the panel is written with: seven segments, and printed labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

Field = np.ndarray[Any, np.dtype[np.float32]]

SEGMENTS: Final[Mapping[str, str]] = {
    "0": "abcdef",
    "1": "bc",
    "2": "abged",
    "3": "abgcd",
    "4": "fgbc",
    "5": "afgcd",
    "6": "afgedc",
    "7": "abc",
    "8": "abcdefg",
    "9": "abcdfg",
    "-": "g",
    " ": "",
}
"""Lit segments: a at the top, then clockwise to f, g in the middle."""

_PLACES: Final[Mapping[str, tuple[float, float, bool]]] = {
    "a": (0.5, 0.0, True),
    "b": (1.0, 0.5, False),
    "c": (1.0, 1.5, False),
    "d": (0.5, 2.0, True),
    "e": (0.0, 1.5, False),
    "f": (0.0, 0.5, False),
    "g": (0.5, 1.0, True),
}
"""Middle of each segment, in lengths of a segment, and whether it lies."""
SLANT: Final = 0.1
"""Digits lean to the right by this, width for height."""

_LETTERS: Final[Mapping[str, str]] = {
    "C": "01110 10001 10000 10000 10000 10001 01110",
    "D": "11110 10001 10001 10001 10001 10001 11110",
    "E": "11111 10000 10000 11110 10000 10000 11111",
    "N": "10001 11001 10101 10101 10011 10001 10001",
    "O": "01110 10001 10001 10001 10001 10001 01110",
    "P": "11110 10001 10001 11110 10000 10000 10000",
    "R": "11110 10001 10001 11110 10100 10010 10001",
    "S": "01111 10000 10000 01110 00001 00001 11110",
    "T": "11111 00100 00100 00100 00100 00100 00100",
    "U": "10001 10001 10001 10001 10001 10001 01110",
    "V": "10001 10001 10001 10001 10001 01010 00100",
    "°": "01110 01010 01110 00000 00000 00000 00000",
}


def digit_distance(x: Field, y: Field, segments: str, length: float, width: float) -> Field:
    """Distance in pixels to the nearest of some segments, negative inside.

    x, y    of the pixels, from the middle of the corner between segments f and a
    length  of a segment;  width  half its thickness
    """
    x = x + SLANT * (y - 2 * length)
    distance = np.full(x.shape, np.inf, np.float32)
    for segment in segments:
        column, row, lies = _PLACES[segment]
        along, across = (x, y) if lies else (y, x)
        middle = (column * length, row * length) if lies else (row * length, column * length)
        u, v = np.abs(along - middle[0]), np.abs(across - middle[1])
        tip = (u + v - (length / 2 - 1.0)) / np.float32(np.sqrt(2))
        np.minimum(distance, np.maximum(v - width, tip), out=distance)
    return distance


def point_distance(x: Field, y: Field, length: float, width: float) -> Field:
    """Distance to the decimal point after a digit."""
    return np.asarray(np.hypot(x - 1.38 * length, y - 2 * length) - 1.25 * width, np.float32)


def label(x: Field, y: Field, text: str, size: float) -> Field:
    """How much of each pixel a printed word covers, 0..1.

    x, y  of the pixels, from the word's upper left corner;  size  of one dot of its letters
    """
    dots = np.zeros((9, 6 * len(text) + 2), np.float32)
    for place, letter in enumerate(text):
        rows = _LETTERS[letter].split()
        dots[1:8, 6 * place + 1 : 6 * place + 6] = [[dot == "1" for dot in row] for row in rows]
    u = np.clip(x / size + 0.5, 0, dots.shape[1] - 1.001)
    v = np.clip(y / size + 0.5, 0, dots.shape[0] - 1.001)
    left, top = u.astype(np.intp), v.astype(np.intp)
    right, low = u - left, v - top
    upper = dots[top, left] * (1 - right) + dots[top, left + 1] * right
    lower = dots[top + 1, left] * (1 - right) + dots[top + 1, left + 1] * right
    return np.asarray(np.clip((upper * (1 - low) + lower * low) * 1.6, 0, 1), np.float32)
