"""Compile what numba compiles, before the tests: `compile_kernels.py optics` and `compile_kernels.py detectors`.

Two halves, for two cores. Without them each of the first processes compiles all that it needs for itself, several the
same at once.
"""

from __future__ import annotations

import struct
import sys

import numpy as np
from numba import types


def optics() -> None:
    """Optical modules; a control unit's stream and files, and its receiver."""
    from pipeline.dectris.engine.warming import warm_receiver
    from sim.dectris.filewriter import kernels as files
    from sim.dectris.stream import kernels as stream
    from sim.degg.warming import warm_up

    warm_up()
    stream.warm_up()
    files.warm_up()
    warm_receiver()


def detectors() -> None:
    """Images of all detectors, their corrections, and the sums of a control unit's images."""
    _images()
    _modules()
    _corrections()
    _reductions()


def _images() -> None:
    from sim.dectris.images import kernels

    mean, counts = np.zeros(1, np.float32), np.zeros(1, np.uint32)
    kernels.photons(mean, np.exp(-mean), np.uint64(0), counts)
    kernels.passing(counts, 0.5, np.uint64(0), counts.copy())
    kernels.read_out(counts, np.ones(1, np.float32), 0.0, 1, counts.copy())
    flat = np.ones(1, np.float32)
    fixed = np.ones(1, np.float32)
    fixed.flags.writeable = False  # compiled code knows writable memory from other; the sensor's own is not
    for flatfield in (flat, fixed):
        kernels.corrected(counts, np.zeros((2, 0), np.float32), flatfield, 1, 1, counts.copy())


def _modules() -> None:
    from sim.kernel import FaultBoard
    from sim.xtdf.build import make_detector, warm
    from sim.xtdf.config import AgipdTable, DsscTable, LpdTable

    agipd = AgipdTable(modules=1)
    for table in (
        agipd,
        LpdTable(detector="FXE_DET_LPD1M-1", modules=1),
        DsscTable(detector="SCS_DET_DSSC1M-1", modules=1),
    ):
        detector = make_detector("one", table, 0, {}, FaultBoard("one", ()))
        warm(detector)
        detector.close()


def _corrections() -> None:
    from pipeline.config import STEPS, CorrectionTable
    from pipeline.constants import AgipdConditions, DsscConditions, LpdConditions
    from pipeline.correct import recipe_of
    from pipeline.correct.kernels import agipd_fast, dssc_fast, lpd_fast

    for conditions in (AgipdConditions(1), LpdConditions(1, parallel_gain=True), DsscConditions(1)):
        recipe_of(CorrectionTable(steps=STEPS[conditions.detector]), conditions).warm_up()
    for kernel in (
        agipd_fast.correct_agipd,
        lpd_fast.correct_lpd,
        lpd_fast.combine_parallel,
        dssc_fast.correct_dssc,
    ):
        for known in list(kernel.signatures):
            kernel.compile((*map(_of_a_file, known[:2]), *known[2:]))


def _of_a_file(kind: types.Type) -> types.Type:
    """Raw images and cell ids of files are mapped read-only, for which compiled code is another."""
    return kind.copy(readonly=True) if isinstance(kind, types.Array) else kind


def _reductions() -> None:
    from pipeline.dectris.reduce import FrameSums, Sum, VirtualDetectors
    from pipeline.dectris.reduce.passes import plan
    from pipeline.dectris.reduce.worker import BSLZ4, Frames, Worker
    from pipeline.dectris.values import SeriesStart

    start = SeriesStart(1, None, 1, 1, 8, 8, np.dtype("uint16"), ("a",), None, {}, None, None, None)
    damaged = struct.pack(">QI", 8 * 8 * 2, 8192) + bytes(4)  # and so in no result
    by_weight = VirtualDetectors(np.full((1, 8, 8), 0.5))
    one = np.zeros((1, 1), np.int64)
    for reductions in ([Sum(), FrameSums()], [by_weight]):
        for coding in (0, BSLZ4):
            data = np.frombuffer(bytearray(damaged), np.uint8)
            frames = Frames(data, np.zeros(1, np.int64), one, one + data.size, (coding,), np.dtype("uint16"))
            Worker(plan(reductions, start), (8, 8)).reduce(frames)


if __name__ == "__main__":
    {"optics": optics, "detectors": detectors}[sys.argv[1]]()
