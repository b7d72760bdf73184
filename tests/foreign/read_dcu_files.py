"""Files of a control unit as h5py with hdf5plugin and Pillow read them: python read_dcu_files.py MASTER.h5 MONITOR.tif

Goes through the master's external links alone; prints JSON.
"""

import json
import sys

import h5py
import hdf5plugin
import numpy as np
from PIL import Image

sums, total, links = [], 0, []
with h5py.File(sys.argv[1], "r") as master:
    assert hdf5plugin.get_filters()
    data = master["entry/data"]
    for name in sorted(name for name in data if name.startswith("data_")):
        link = data.get(name, getlink=True)
        links.append([name, type(link).__name__, getattr(link, "filename", "")])
        images = data[name][:]
        sums += [int(image.sum(dtype=np.uint64)) for image in images]
        total = total + images.sum(axis=0, dtype=np.uint64)
np.save(sys.argv[1] + ".sum.npy", total)
with Image.open(sys.argv[2]) as image:
    picture = np.asarray(image)
    told = {
        "format": image.format,
        "mode": image.mode,
        "size": image.size,
        "sum": int(picture.sum(dtype=np.uint64)),
    }
json.dump({"links": links, "sums": sums, "monitor": told}, sys.stdout)
