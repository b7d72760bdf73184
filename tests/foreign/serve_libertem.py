"""LiberTEM's own simulator of a control unit with a recorded series: python serve_libertem.py DUMP

Prints its ports as JSON and serves until stdin ends.
"""

import json
import sys

from libertem_live.detectors.dectris.sim import DectrisSim

served = DectrisSim(path=sys.argv[1], port=0, zmqport=0, verbose=False)
served.start()
served.wait_for_listen()
sys.stdout.write(json.dumps({"api": served.port, "data": served.zmqport}) + "\n")
sys.stdout.flush()
sys.stdin.read()
served.stop()
