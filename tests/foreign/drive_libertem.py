"""LiberTEM's live context at a control unit: series in every trigger mode, passively, with corrections, after an abort.

python drive_libertem.py API_HOST API_PORT DATA_HOST DATA_PORT FOLDER
Saves what it reconstructed of each series as FOLDER/NAME_INDEX.npz; prints JSON: {NAME: [series numbers]}.
"""

import json
import sys
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from libertem.executor.pipelined import PipelinedExecutor
from libertem.udf.masks import ApplyMasksUDF
from libertem.udf.sum import SumUDF
from libertem.udf.sumsigudf import SumSigUDF
from libertem_live.api import Hooks, LiveContext

NAV = (4, 6)
COUNT = NAV[0] * NAV[1]
PATIENCE_S = 60
api_host, api_port, data_host, data_port, folder = sys.argv[1:]
seen = {}


class Triggering(Hooks):
    """Sends commands as soon as the unit is armed; a blocking one must not hold up the receiver."""

    def __init__(self, commands):
        self._commands, self.sender = commands, None

    def on_ready_for_data(self, env):
        client = env.aq.get_api_client()

        def send():
            for command in self._commands:
                client.sendDetectorCommand(command)

        self.sender = threading.Thread(target=send)
        self.sender.start()


def left_half(shape):
    """What a user's virtual detector may be: the left half of the sensor."""
    mask = np.zeros(shape, np.float32)
    mask[:, : shape[1] // 2] = 1
    return mask


def reconstruct(context, acquisition, name):
    """Run sum, frame sums and a virtual detector over a series, and keep them."""
    detector = partial(left_half, acquisition.shape.sig.to_tuple())
    total, frames, virtual = context.run_udf(
        dataset=acquisition, udf=[SumUDF(), SumSigUDF(), ApplyMasksUDF(mask_factories=[detector])]
    )
    index = len(seen.setdefault(name, []))
    excluded = acquisition.get_correction_data().get_excluded_pixels()
    np.savez(
        Path(folder) / f"{name}_{index}.npz",
        sum=total["intensity"].data,
        frames=frames["intensity"].data,
        detector=virtual["intensity"].data,
        excluded=np.zeros(0) if excluded is None else excluded.todense(),
    )


@contextmanager
def connected(context):
    with context.make_connection("dectris").open(
        api_host=api_host,
        api_port=int(api_port),
        data_host=data_host,
        data_port=int(data_port),
        buffer_size=64,
        bytes_per_frame=1 << 14,
        frame_stack_size=4,
    ) as connection:
        yield connection


def active(context, connection, name, *, mode, commands=(), repeat=3, **settings):
    """Series that this client configures, arms and, where the mode wants it, triggers."""
    for _ in range(repeat):
        client = connection.get_api_client()
        if (
            mode == "inte"
        ):  # the controller knows one image in this mode: the user sets the rest, and leaves it alone
            for key, value in (("trigger_mode", "inte"), ("nimages", 1), ("ntrigger", COUNT)):
                client.setDetectorConfig(key, value)
        controller = connection.get_active_controller(
            trigger_mode=None if mode == "inte" else mode, count_time=1e-3, frame_time=1e-3, **settings
        )
        hooks = Triggering(commands)
        acquisition = context.make_acquisition(
            conn=connection, nav_shape=NAV, controller=controller, hooks=hooks, frames_per_partition=8
        )
        reconstruct(context, acquisition, name)
        seen[name].append(int(acquisition.acquisition_state.sequence_id))
        hooks.sender.join()


def passive(context, connection, repeat=3):
    """Series that somebody else arms and triggers."""
    somebody = connection.get_api_client()
    for key, value in (("trigger_mode", "ints"), ("ntrigger", 1), ("nimages", COUNT)):
        somebody.setDetectorConfig(key, value)
    assert connection.wait_for_acquisition(timeout=0.1) is None, "nobody has armed yet"
    for _ in range(repeat):
        somebody.sendDetectorCommand("arm")
        trigger = threading.Thread(target=somebody.sendDetectorCommand, args=("trigger",))
        trigger.start()
        pending = connection.wait_for_acquisition(timeout=PATIENCE_S)
        assert pending is not None, "no series came"
        assert pending.nimages == COUNT
        acquisition = context.make_acquisition(
            conn=connection, nav_shape=NAV, pending_aq=pending, frames_per_partition=8
        )
        reconstruct(context, acquisition, "passive")
        seen["passive"].append(int(pending.series))
        trigger.join()


def aborted(context, connection):
    """A series that is aborted as soon as it is armed; what this client says of it."""
    try:
        active(context, connection, "never", mode="exte", commands=("abort",), repeat=1)
    except Exception as error:  # noqa: BLE001  # whatever it raises is what its user sees
        return f"{type(error).__name__}: {error}"
    return ""


def main():
    """Everything in one context: its workers take seconds to start."""
    executor = PipelinedExecutor(spec=PipelinedExecutor.make_spec(cpus=[0], cudas=[]), pin_workers=False)
    with LiveContext(executor=executor) as context:
        with connected(context) as connection:
            client = connection.get_api_client()
            shape = [client.detectorConfig(f"{axis}_pixels_in_detector")["value"] for axis in "yx"]
            active(context, connection, "exte", mode="exte")
            active(context, connection, "exts", mode="exts")
            active(context, connection, "ints", mode="ints", commands=("trigger",))
            active(context, connection, "inte", mode="inte", commands=("trigger",) * COUNT)
            active(context, connection, "corrected", mode="exte", enable_corrections=True, repeat=1)
            active(context, connection, "masked", mode="exte", mask_to_zero=True, repeat=1)
            client.setDetectorConfig("mask_to_zero", False)
            passive(context, connection)
            active(context, connection, "active_again", mode="exts", repeat=1)
        with connected(context) as connection:
            complaint = aborted(context, connection)
        with connected(context) as connection:
            active(context, connection, "recovered", mode="exte", repeat=1)
    json.dump({"shape": shape, "complaint": complaint, "series": seen}, sys.stdout)


if __name__ == "__main__":  # its workers import this file
    main()
