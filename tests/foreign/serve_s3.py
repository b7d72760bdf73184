"""moto's S3 store, in memory, on a free port of loopback.

Prints its port as JSON and serves until stdin ends.
"""

import json
import sys

from moto.server import ThreadedMotoServer

served = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
served.start()
sys.stdout.write(json.dumps({"port": served.get_host_and_port()[1]}) + "\n")
sys.stdout.flush()
sys.stdin.read()
served.stop()
