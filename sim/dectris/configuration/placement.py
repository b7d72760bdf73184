"""Where the detector stands: beam centre and distance, or translation and orientation. Pure functions.

Source: SIMPLON API reference 1.8, detector_translation: t = (0, 0, d) - R·C, where C is the beam centre in metres from
the upper left corner of the image, d the distance, and R the rotation whose first two columns are
`detector_orientation`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sim.dectris.configuration.readout import number
from sim.dectris.keys import Value
from sim.dectris.refusal import Refused


def _vector(value: Value) -> NDArray[np.float64]:
    assert isinstance(value, list)
    return np.array([float(item) for item in value])


def translation(values: Mapping[str, Value]) -> dict[str, Value]:
    """`detector_translation` from beam centre, distance and orientation."""
    first, second = np.split(_vector(values["detector_orientation"]), 2)
    x_m = number(values["beam_center_x"]) * number(values["x_pixel_size"])
    y_m = number(values["beam_center_y"]) * number(values["y_pixel_size"])
    moved = np.array([0.0, 0.0, number(values["detector_distance"])]) - x_m * first - y_m * second
    return {"detector_translation": _plain(moved)}


def centre(values: Mapping[str, Value]) -> dict[str, Value]:
    """Beam centre and distance from translation and orientation. Raises Refused (400) when the beam misses."""
    columns = _vector(values["detector_orientation"]).reshape(2, 3).T
    moved = _vector(values["detector_translation"])
    across = columns[:2]
    if abs(np.linalg.det(across)) < 1e-6:
        raise Refused(400, "detector_orientation: a detector parallel to the beam has no beam centre")
    x_m, y_m = np.linalg.solve(across, -moved[:2])
    distance = float(moved[2] + columns[2] @ (x_m, y_m))
    if not all(map(math.isfinite, (x_m, y_m, distance))) or distance < 0:
        raise Refused(400, "detector_translation and detector_orientation put the detector before the sample")
    return {
        "beam_center_x": float(x_m) / number(values["x_pixel_size"]),
        "beam_center_y": float(y_m) / number(values["y_pixel_size"]),
        "detector_distance": distance,
    }


def orientation(values: Mapping[str, Value]) -> dict[str, Value]:
    """`detector_orientation` from angle and axis. Raises Refused (400) for an axis without direction."""
    axis = _vector(values["detector_orientation_axis"])
    length = float(np.linalg.norm(axis))
    if not 1e-9 < length < 1e9:
        raise Refused(400, "detector_orientation_axis has no direction")
    x, y, z = axis / length
    angle = math.radians(number(values["detector_orientation_angle"]) % 360.0)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotation = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * (cross @ cross)
    return {"detector_orientation": _plain(rotation[:, :2].T.ravel())}


def angle_and_axis(values: Mapping[str, Value]) -> dict[str, Value]:
    """Angle and axis from `detector_orientation`. Raises Refused (400) for columns that are no rotation."""
    first, second = np.split(_vector(values["detector_orientation"]), 2)
    if not np.allclose([first @ first, second @ second, first @ second], [1, 1, 0], atol=1e-6):
        raise Refused(400, "detector_orientation must hold two perpendicular unit vectors")
    rotation = np.stack([first, second, np.cross(first, second)], axis=1)
    angle = math.acos(min(max((float(np.trace(rotation)) - 1) / 2, -1.0), 1.0))
    # (R + 1) maps everything onto the axis when the angle is half a turn, and R - R' names it otherwise.
    axis = np.array([
        rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1],
    ])  # fmt: skip
    if np.linalg.norm(axis) < 1e-6:
        columns = (rotation + np.eye(3)).T
        axis = (
            columns[int(np.argmax(np.linalg.norm(columns, axis=1)))]
            if angle > 1
            else np.array([0.0, 0.0, 1.0])
        )
    unit = axis / np.linalg.norm(axis)
    return {
        "detector_orientation_angle": math.degrees(angle),
        "detector_orientation_axis": _plain(unit),
    }


def _plain(vector: NDArray[np.float64]) -> Value:
    # Adding zero turns -0.0 into 0.0; what is below a picometre is rounding.
    return [round(float(item), 15) + 0.0 for item in vector]
