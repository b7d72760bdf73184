"""Read trains from a bridge with the public client and print what came, as JSON."""

import json
import sys

from karabo_bridge import Client

endpoint, sock, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
seen = []
with Client(endpoint, sock=sock, timeout=20) as client:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in range(count):
        data, metadata = client.next()
        (source,) = data
        image = data[source]["image.data"]
        seen.append(
            {
                "source": source,
                "train_id": metadata[source]["timestamp.tid"],
                "shape": list(image.shape),
                "dtype": str(image.dtype),
                "first": float(image.ravel()[0]),
                "pulses": [int(p) for p in data[source]["image.pulseId"]],
                "present": data[source].get("modulesPresent"),
                "passport": data[source].get("image.passport", [])[:2],
            }
        )
json.dump(seen, sys.stdout)
