"""The vendor's own decoder on images as they came over the stream: python decode_images.py FOLDER

FOLDER/*.ALGORITHM.ELEMENT_BYTES are blobs; prints JSON {file name: sum over its pixels}.
"""

import json
import sys
from array import array
from pathlib import Path

from dectris.compression import decompress

CODES = {1: "B", 2: "H", 4: "I"}
sums = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    _, algorithm, element = path.name.split(".")
    sums[path.name] = sum(
        array(CODES[int(element)], decompress(path.read_bytes(), algorithm, elem_size=int(element)))
    )
json.dump(sums, sys.stdout)
