"""LiberTEM's part of dectris_peers.py, run by the interpreter of .venvs/libertem; JSON lines on stdout.

libertem_peer.py sim DUMP                                              its simulator, until stdin ends: {"api", "data"}
libertem_peer.py live API_HOST API_PORT DATA_HOST DATA_PORT FRAMES SERIES SUM.npy    a LiveContext with SumUDF
libertem_peer.py receive API_HOST API_PORT DATA_HOST DATA_PORT FRAMES SERIES SUM.npy its receiver, decoding
SERIES series are timed after one that warms up and whose sum is saved; prints {"images_per_s": [...]}.
"""

import json
import os
import sys
import tempfile
import time

import numpy as np

STACK = 128


def sim(dump):
    """Serve a recorded series."""
    from libertem_live.detectors.dectris.sim import DectrisSim

    served = DectrisSim(path=dump, port=0, zmqport=0, verbose=False)
    served.start()
    served.wait_for_listen()
    print(json.dumps({"api": served.port, "data": served.zmqport}), flush=True)
    sys.stdin.read()
    served.stop()


class Stopwatch:
    """From the detector being armed to the end; the hook of a LiveContext."""

    def on_ready_for_data(self, _env):
        """Begin."""
        self.began = time.perf_counter()

    def on_determine_nav_shape(self, _env):
        """The shape is known."""


def live(api_host, api_port, data_host, data_port, frames, series, saved):
    """Sum all frames in a LiveContext, active."""
    from libertem.udf.sum import SumUDF
    from libertem_live.api import LiveContext

    rates = []
    with (
        LiveContext() as context,
        context.make_connection("dectris").open(
            api_host=api_host,
            api_port=int(api_port),
            data_host=data_host,
            data_port=int(data_port),
            buffer_size=512,
        ) as connection,
    ):
        client = connection.get_api_client()
        pixels = client.detectorConfig("x_pixels_in_detector")["value"] ** 2
        partition = min(2048, 32 * 2**20 // pixels)  # its default, 128, is dear for small images
        for number in range(int(series) + 1):
            watch = Stopwatch()
            acquisition = context.make_acquisition(
                conn=connection, nav_shape=(int(frames),), hooks=watch, frames_per_partition=partition
            )
            result = context.run_udf(dataset=acquisition, udf=SumUDF())
            rates.append(int(frames) / (time.perf_counter() - watch.began))
            if number == 0:
                np.save(saved, result["intensity"].data)
    print(json.dumps({"images_per_s": rates[1:]}), flush=True)


def receive(api_host, api_port, data_host, data_port, frames, series, saved):
    """Receive and decode, no more."""
    import libertem_dectris
    from libertem_live.detectors.dectris.DEigerClient import DEigerClient

    client = DEigerClient(api_host, port=int(api_port))
    shape = [client.detectorConfig(f"{axis}_pixels_in_detector")["value"] for axis in "yx"]
    dtype = {8: np.uint8, 16: np.uint16, 32: np.uint32}[client.detectorConfig("bit_depth_image")["value"]]
    path = os.path.join(tempfile.mkdtemp(), "shm")
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    connection = libertem_dectris.DectrisConnection(
        uri=f"tcp://{data_host}:{data_port}",
        frame_stack_size=24,
        num_slots=(512 << 20) // (24 * size // 8),
        bytes_per_frame=size // 8,
        huge=False,
        handle_path=path,
    )
    camera = libertem_dectris.CamClient(connection.get_socket_path())
    buffer, total, rates = np.zeros((STACK, *shape), dtype), np.zeros(shape, np.uint64), []
    for number in range(int(series) + 1):
        connection.start(client.sendDetectorCommand("arm")["sequence id"])
        began, seen = time.perf_counter(), 0
        while seen < int(frames):
            stack = connection.get_next_stack(max_size=STACK)
            count = len(stack)
            camera.decode_range_into_buffer(stack, buffer[:count], 0, count)
            camera.done(stack)
            seen += count
            if number == 0:
                total += buffer[:count].sum(axis=0, dtype=np.uint64)
        rates.append(seen / (time.perf_counter() - began))
    np.save(saved, total)
    camera.close()
    connection.close()
    print(json.dumps({"images_per_s": rates[1:]}), flush=True)


if __name__ == "__main__":
    {"sim": sim, "live": live, "receive": receive}[sys.argv[1]](*sys.argv[2:])
