"""Filter wheels through public clients: their whole life.

python drive_filter_wheel.py WAY PORT     prints JSON; WAY: FW, FWv1, pyvisa or pyserial
"""

import importlib.util
import json
import sys
import types

way, port = sys.argv[1], sys.argv[2]


def thorlabs():
    """pylablib's module of Thorlabs' serial devices, without its package's front door.

    That loads camera drivers as well, and they need numba, which no serial device does.
    """
    package = types.ModuleType("pylablib.devices.Thorlabs")
    devices = importlib.util.find_spec("pylablib.devices").submodule_search_locations[0]
    package.__path__ = [f"{devices}/Thorlabs"]
    sys.modules[package.__name__] = package
    from pylablib.devices.Thorlabs import serial

    return serial


def pylablib_fw():
    driver = thorlabs()
    told = {}
    with driver.FW((port, 115200)) as wheel:
        told["id"] = wheel.get_id()
        told["pcount"] = wheel.get_pcount()
        told["positions"] = [wheel.set_position(position) for position in (2, 3, 6, 1, 4, 1)]
        told["out_of_range"] = wheel.set_position(9)
        told["speed"] = [wheel.set_speed_mode(mode) for mode in ("low", "high")]
        told["sensors"] = [wheel.set_sensor_mode(mode) for mode in ("on", "off")]
        told["trigger"] = [wheel.set_trigger_mode(mode) for mode in ("out", "in")]
        wheel.store_settings()
        wheel.respect_bound = False
        told["across"] = [wheel.set_position(position) for position in (6, 1, 5)]
        told["large"] = [wheel.set_pcount(12), wheel.set_position(8), wheel.set_pcount(6)]
        told["at"] = wheel.set_position(5)
        wheel.close()
        wheel.open()
        told["reopened"] = wheel.get_position()
    with driver.FW((port, 115200)) as wheel:
        told["again"] = wheel.get_settings()
    return told


def pylablib_fwv1():
    driver = thorlabs()
    told = {}
    with driver.FWv1((port, 115200)) as wheel:
        told["id"] = wheel.get_id()
        told["positions"] = [wheel.set_position(position) for position in (2, 6, 1, 4)]
        told["trigger"] = [wheel.set_trigger_mode(mode) for mode in ("out", "in")]
    with driver.FWv1((port, 115200)) as wheel:
        told["again"] = wheel.get_position()
    return told


def pyvisa():
    import pyvisa

    told = {}
    resources = pyvisa.ResourceManager("@py")
    with resources.open_resource(f"ASRL{port}::INSTR") as wheel:
        wheel.baud_rate = 115200
        wheel.read_termination = wheel.write_termination = "\r"
        wheel.timeout = 5000

        def ask(line):
            wheel.write(line)
            return [wheel.read(), wheel.read()]

        told["asked"] = [ask("*idn?"), ask("pos?"), ask("nonsense"), ask("pos?")]
    resources.close()
    return told


def pyserial():
    import serial

    told = {"answers": []}
    with serial.Serial(port, 115200, timeout=5) as wheel:
        for line in (b"pos?\r", b"pos=2\r", b"pos?\r"):
            wheel.write(line)
            told["answers"].append(wheel.read_until(b"> ").decode())
    with serial.Serial(port, 115200, timeout=5, exclusive=True) as wheel:
        wheel.write(b"pcount?\r")
        told["answers"].append(wheel.read_until(b"> ").decode())
    return told


ways = {"FW": pylablib_fw, "FWv1": pylablib_fwv1, "pyvisa": pyvisa, "pyserial": pyserial}
json.dump(ways[way](), sys.stdout)
