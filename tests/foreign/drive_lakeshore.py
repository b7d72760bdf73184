"""pymeasure's LakeShore224 or LakeShore211: python drive_lakeshore.py MODEL RESOURCE     prints JSON."""

import json
import sys

from pymeasure.instruments.lakeshore import LakeShore211, LakeShore224

model, resource = sys.argv[1:]
keys = {"visa_library": "@py", "read_termination": "\r\n", "write_termination": "\n", "timeout": 10_000}
if model == "224":
    monitor = LakeShore224(resource, **keys)
    answer = {
        "id": monitor.id,
        "air": monitor.input_A.celsius,
        "glass": monitor.input_B.kelvin,
        "room": monitor.input_C1.sensor,
        "all": monitor.input_0.celsius,
    }
else:
    monitor = LakeShore211(resource, **keys)
    answer = {
        "id": monitor.id,
        "air": monitor.temperature_celsius,
        "kelvin": monitor.temperature_kelvin,
        "fahrenheit": monitor.temperature_fahrenheit,
        "sensor": monitor.temperature_sensor,
    }
monitor.adapter.close()
json.dump(answer, sys.stdout)
