"""Whether a remote's answer is what was asked for. Each doubt is a sentence, and no doubtful array gets out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.constants.conditions import Parameter
from pipeline.constants.files import TO_DO, content_hash, read_constant
from pipeline.constants.layout import fast_first, stored_dims
from pipeline.constants.model import ConstantVersion, dtype_of
from pipeline.constants.remotes.messages import AnswerMalformed, Condition, Described
from pipeline.errors import ConstantUnreadable

OWNER: Final = "detector uuid"
"""A condition with this parameter belongs to one unit; a client does not ask for it."""
MOST_LAST_AXIS: Final = 16


def check_version(got: ConstantVersion, wanted: ConstantVersion) -> None:
    """Whether the answer is about the version that was asked for. Raises AnswerMalformed."""
    if (got.id, got.calibration, got.pdu, got.file, got.data_set) != (
        wanted.id,
        wanted.calibration,
        wanted.pdu,
        wanted.file,
        wanted.data_set,
    ):
        raise AnswerMalformed(
            f"sent {got.calibration} of {got.pdu} from {got.file}, asked was {wanted.calibration} of "
            f"{wanted.pdu} from {wanted.file}"
        )


def check_data_set(version: ConstantVersion) -> None:
    """Whether the dataset's name is that of the unit and the calibration. Raises AnswerMalformed."""
    if not version.data_set.strip("/").lower().startswith(f"{version.pdu}/{version.calibration}".lower()):
        raise AnswerMalformed(
            f"{version.file}: dataset {version.data_set} is not {version.calibration} of {version.pdu}"
        )


def check_conditions(
    version: ConstantVersion, stored: Sequence[Condition], *allowed: Mapping[str, Parameter] | None
) -> None:
    """Whether the stored conditions are those asked for, or those fallen back to. Raises AnswerMalformed."""
    doubts = [_doubt(stored, wanted) for wanted in allowed if wanted is not None]
    if all(doubts):
        raise AnswerMalformed(f"{version.file} holds {version.calibration} for other conditions: {doubts[0]}")


def _doubt(stored: Sequence[Condition], wanted: Mapping[str, Parameter]) -> str:
    by_name = {c.name.lower(): c for c in stored if c.name.lower() != OWNER}
    asked = {name.lower(): value for name, value in wanted.items()}
    for name in sorted(by_name.keys() ^ asked.keys()):
        return f"{name} was {'not ' if name in by_name else ''}asked for"
    for name, value in asked.items():
        if not by_name[name].allows(value):
            return f"{name} is {by_name[name].value}, asked was {value}"
    return ""


def array_of(
    version: ConstantVersion, told: Described, data: memoryview | None, wanted: tuple[int, ...]
) -> NDArray[Any]:
    """The array of an answer, as `Constant.data`. Raises AnswerMalformed."""
    what = f"{version.calibration} of {version.pdu} from {version.file}"
    if data is None:
        raise AnswerMalformed(f"sent no data for {what}")
    try:
        dtype = np.dtype(told.dtype)
    except (TypeError, ValueError):
        raise AnswerMalformed(f"sent {what} with an unknown dtype {told.dtype[:20]!r}") from None
    if dtype.kind not in "fiu" or dtype.itemsize > 8:
        raise AnswerMalformed(f"sent {what} as {dtype}, not as numbers")
    dims = told.dims or stored_dims(version.calibration, len(told.shape))
    _check_shape(what, told.shape, dims, wanted)
    if math.prod(told.shape) * dtype.itemsize != len(data):
        raise AnswerMalformed(f"sent {len(data)} bytes for {what}, not those of {dtype} {told.shape}")
    array = np.frombuffer(data, dtype).reshape(told.shape)
    if content_hash(array) != told.sha256:
        raise AnswerMalformed(f"the data of {what} arrived damaged (their SHA-256 differs)")
    return np.ascontiguousarray(fast_first(array, dims), dtype=dtype_of(version.calibration))


def _check_shape(what: str, stored: tuple[int, ...], dims: Sequence[str], wanted: tuple[int, ...]) -> None:
    try:
        # A view over one zero has the shape without its memory.
        shape = fast_first(np.broadcast_to(np.zeros(1, np.uint8), stored), dims).shape
    except ValueError as error:
        raise AnswerMalformed(f"sent {what} in a shape that cannot be ({error})") from None
    # A last axis may be longer than a reader needs: stored SlopesPC have up to 11 parameters.
    longer = len(shape) == 4 and len(wanted) == 4 and wanted[3] <= shape[3] <= MOST_LAST_AXIS
    if shape != wanted and not (longer and shape[:3] == wanted[:3]):
        raise AnswerMalformed(f"sent {what} with shape {shape}, but {wanted} is needed (axes {list(dims)})")


def read_file(
    path: Path,
    version: ConstantVersion,
    told: Described,
    stored: Sequence[Condition],
    wanted: tuple[int, ...],
) -> NDArray[Any]:
    """Read a constant's file oneself, and check it against what the remote said. Raises ConstantUnreadable."""
    read = read_constant(path, version.data_set, version.calibration, wanted)
    if told.sha256 and read.sha256 != told.sha256:
        raise ConstantUnreadable(
            path, f"is not the file that the remote described (its SHA-256 differs); {TO_DO}"
        )
    _check_attributes(path, version.data_set, stored)
    return read.data


def _check_attributes(path: Path, data_set: str, stored: Sequence[Condition]) -> None:
    """Where the writer left its conditions beside the data, they must be the catalogue's."""
    try:
        with h5py.File(path, "r") as file:
            left = {str(name).lower(): value for name, value in file[data_set].attrs.items()}
    except (OSError, KeyError) as error:
        raise ConstantUnreadable(path, f"cannot be read as HDF5 ({error}); {TO_DO}") from None
    for condition in stored:
        value = left.get(condition.name.lower())
        if value is not None and not condition.allows(
            value.item() if isinstance(value, np.generic) else value
        ):
            raise ConstantUnreadable(
                path,
                f"was written for {condition.name} {value}, the catalogue says {condition.value}; {TO_DO}",
            )
