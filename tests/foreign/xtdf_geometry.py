"""Run by the environment with EXtra-geom: writes pixel centres of the example AGIPD 1M geometry to the file given.

Array (16, 512, 128, 2), f8: module, slow, fast, (x, y) in metres.
"""

import sys

import numpy as np
from extra_geom import AGIPD_1MGeometry

np.save(sys.argv[1], AGIPD_1MGeometry.example().get_pixel_positions()[..., :2])
