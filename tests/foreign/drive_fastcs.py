"""fastcs-eiger at a control unit: every parameter introspected, then a series armed and triggered.

python drive_fastcs.py HOST PORT IMAGES     prints JSON; IMAGES 0: introspection alone
"""

import asyncio
import json
import sys

from fastcs.attributes import AttrR, AttrRW
from fastcs.connections import IPConnectionSettings
from fastcs_eiger.controllers.eiger_controller import EigerController

host, port, images = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


async def acquire(controller):
    """As its users do: put values, wait until nothing is stale, arm, trigger."""
    detector = controller.detector
    wanted = {
        "count_time": 0.001,
        "frame_time": 0.002,
        "ntrigger": 1,
        "nimages": images,
        "trigger_mode": "ints",
    }
    for name, value in wanted.items():
        await detector.attributes[name].put(value)
        await controller.update()
    read_back = {name: detector.attributes[name].get() for name in wanted}
    await controller.arm_when_ready()
    await detector.trigger()
    return {"wanted": wanted, "read_back": read_back}


async def main():
    controller = EigerController(IPConnectionSettings(host, port), "1.8.0")
    await controller.initialise()
    controller.post_initialise()
    for part in controller.sub_controllers.values():
        for attribute in part.attributes.values():
            if isinstance(attribute, AttrR) and attribute.has_io_ref():
                await attribute.bind_update_callback()()
    answer = {
        "writable": {
            name: sorted(key for key, attribute in part.attributes.items() if isinstance(attribute, AttrRW))
            for name, part in controller.sub_controllers.items()
        },
        "attributes": {
            name: {key: str(attribute.get()) for key, attribute in part.attributes.items()}
            for name, part in controller.sub_controllers.items()
        },
    }
    if images:
        answer |= await acquire(controller)
    await controller.connection.close()
    return answer


json.dump(asyncio.run(main()), sys.stdout)
