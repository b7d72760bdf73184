"""Read trains from a bridge with the public client and print each source's keys, arrays by their digest, as JSON."""

import hashlib
import json
import sys

import numpy as np
from karabo_bridge import Client


def describe(value):
    """A value as JSON: of an array its shape, its type and the digest of its values in the order of its axes."""
    if isinstance(value, np.ndarray):
        return [list(value.shape), str(value.dtype), hashlib.sha256(value.tobytes()).hexdigest()]
    return value if isinstance(value, (str, int, float, list)) else repr(value)


endpoint, sock, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Client(endpoint, sock=sock, timeout=60) as client:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in range(count):
        data, metadata = client.next()
        train = {
            source: {
                "train_id": metadata[source]["timestamp.tid"],
                "timestamp": metadata[source]["timestamp"],
                "content": {key: describe(value) for key, value in content.items() if key != "metadata"},
            }
            for source, content in data.items()
        }
        sys.stdout.write(json.dumps(train) + "\n")
        sys.stdout.flush()
