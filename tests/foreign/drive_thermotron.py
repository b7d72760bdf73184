"""pymeasure's Thermotron3800 at a chamber: python drive_thermotron.py RESOURCE     prints JSON."""

import json
import sys

from pymeasure.instruments.thermotron import Thermotron3800

oven = Thermotron3800(
    sys.argv[1], visa_library="@py", read_termination="\n", write_termination="\n", timeout=10_000
)
answer = {"id": oven.id, "mode": oven.mode.name, "temperature": oven.temperature}
oven.setpoint = -40
oven.run()
answer["set_point"] = oven.setpoint
oven.adapter.close()
json.dump(answer, sys.stdout)
