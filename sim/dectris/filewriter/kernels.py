"""Many chunks into an HDF5 dataset in one call, without the GIL.

h5py takes 13 µs for one small chunk, most of it in Python; HDF5 itself takes 2 to 5. At 120 000 images/s only the
latter fits. The function that writes is HDF5's own H5Dwrite_chunk, out of the library that h5py brings; its address
comes as an argument, so that the compiled code can be kept.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

import h5py
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

_library: Final = ctypes.CDLL(h5py.h5d.__file__)
_version: Final = (ctypes.c_uint * 3)()
# A second copy of HDF5 in the process would not know h5py's handles.
if _library.H5get_libversion(*(ctypes.byref(_version, 4 * place) for place in range(3))) < 0 or (
    tuple(_version) != h5py.version.hdf5_version_tuple
):
    raise ImportError(f"the HDF5 library found is {tuple(_version)}, h5py's is {h5py.version.hdf5_version}")
H5D_WRITE_CHUNK: Final = ctypes.cast(_library.H5Dwrite_chunk, ctypes.c_void_p).value
"""Address of herr_t H5Dwrite_chunk(hid_t, hid_t, uint32_t, const hsize_t *, size_t, const void *)."""


def _call_code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    function, dataset, offset, size, data = arguments
    word, flags = ir.IntType(64), ir.IntType(32)
    kind = ir.FunctionType(flags, [word, word, flags, word, word, word])
    # Transfer list 0 is H5P_DEFAULT; filter mask 0: all filters were applied.
    return builder.call(
        builder.inttoptr(function, kind.as_pointer()),
        [dataset, ir.Constant(word, 0), ir.Constant(flags, 0), offset, size, data],
    )


def _write_chunk_type(
    _context: Any, _function: Any, _dataset: Any, _offset: Any, _size: Any, _data: Any
) -> tuple[Any, Callable[..., Any]]:
    return types.int32(types.int64, types.int64, types.int64, types.int64, types.int64), _call_code


_write_chunk: Any = intrinsic(_write_chunk_type)


@njit(nogil=True, cache=True)
def _write_chunks(
    function: int,
    dataset: int,
    pool: int,
    offsets: NDArray[np.int64],
    lengths: NDArray[np.int64],
    image: int,
    row: int,
    count: int,
    channel: int,
) -> int:
    place = np.zeros(4, np.uint64)
    place[1] = channel
    distinct = len(offsets)
    for step in range(count):
        place[0] = row + step
        index = (image + step) % distinct
        if (
            _write_chunk(
                np.int64(function),
                np.int64(dataset),
                np.int64(place.ctypes.data),
                np.int64(lengths[index]),
                np.int64(pool + offsets[index]),
            )
            < 0
        ):
            return step
    return count


write_chunks: Callable[..., int] = _write_chunks
"""Write images `image` … `image + count - 1` of a pool to the rows from `row`; how many were written.

(function, dataset, pool, offsets, lengths, image, row, count, channel): function is H5D_WRITE_CHUNK, dataset an HDF5
handle, pool the address of the bytes, offsets and lengths int64 (distinct,), channel the second index of a dataset of
four axes and 0 otherwise. Fewer than count: HDF5 refused the next one. Whoever calls holds h5py's lock.
"""


def warm_up() -> None:
    """Compile, or load what was compiled before."""
    nothing = np.ones(1, np.int64)
    write_chunks(H5D_WRITE_CHUNK, -1, 0, nothing, nothing, 0, 0, 0, 0)
