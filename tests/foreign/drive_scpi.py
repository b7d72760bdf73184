"""Public drivers, unmodified, at our instruments.

argv: `pymeasure` or `pylablib`, and where the instruments are: {"afg": port, "agilent": port, "supply": port, "serial":
path, "gpib": port}. Prints what the drivers read, as JSON.
"""

import json
import sys
from typing import Any

LINES = {"read_termination": "\n", "write_termination": "\n", "timeout": 5000}
BOX = {"read_termination": "\n", "timeout": 5000, "visa_library": "@py"}


def resource(port: str) -> str:
    return f"TCPIP::127.0.0.1::{port}::SOCKET"


def adapter(port: str) -> Any:
    from pymeasure.adapters import VISAAdapter

    return VISAAdapter(resource(port), visa_library="@py", **LINES)


def set_up_laser(generator: Any) -> dict[str, Any]:
    """What the laboratory does with it; this driver's own `enable` uses an attribute that it does not have."""
    ch1 = generator.ch1
    generator.clear()
    generator.reset()
    ch1.waveform("SIN", 1e6, "VPP", 1, 0)
    ch1.shape = "square"
    ch1.frequency = 100
    ch1.amp_vpp = 3
    ch1.offset = 0
    generator.write("output1:state on")
    return {
        "id": generator.id,
        "shape": ch1.shape,
        "frequency": ch1.frequency,
        "unit": ch1.unit,
        "amplitude": ch1.amp_vpp,
        "offset": ch1.offset,
        "duty": ch1.duty,
        "on": generator.ask("output1:state?"),
        "complete": generator.opc(),
        "error": generator.ask("syst:err?"),
    }


def supply_laser(supply: Any) -> dict[str, Any]:
    laser = supply.ch_2
    laser.voltage_setpoint = 12
    laser.current_limit = 0.5
    laser.output_enabled = True
    supply.ch_3.voltage_setpoint = -5
    supply.tracking_enabled = False
    told = {
        "id": supply.id,
        "volts": [channel.voltage_setpoint for channel in (supply.ch_1, supply.ch_2, supply.ch_3)],
        "limit": laser.current_limit,
        "on": laser.output_enabled,
        "measured": [laser.voltage, laser.current],
        "tracking": supply.tracking_enabled,
        "errors": supply.check_errors(),
    }
    supply.write("VOLT 99")
    return {**told, "refused": supply.check_errors()}


def afg(port: str) -> Any:
    from pymeasure.instruments.tektronix import AFG3152C

    return set_up_laser(AFG3152C(adapter(port)))


def e3631a(port: str) -> Any:
    from pymeasure.instruments.keysight import KeysightE3631A

    return supply_laser(KeysightE3631A(adapter(port)))


def e3631a_serial(path: str) -> Any:
    from pymeasure.adapters import SerialAdapter
    from pymeasure.instruments.keysight import KeysightE3631A

    line = SerialAdapter(
        path, baudrate=9600, stopbits=2, timeout=5, read_termination="\r\n", write_termination="\n"
    )
    return supply_laser(KeysightE3631A(line))


def prologix(port: str) -> Any:
    from pymeasure.adapters import PrologixAdapter
    from pymeasure.instruments.keysight import KeysightE3631A
    from pymeasure.instruments.tektronix import AFG3152C

    box = PrologixAdapter(resource(port), 10, gpib_read_timeout=500, **BOX)
    supply = KeysightE3631A(box.gpib(5))
    told = {
        "box": [box.auto, box.eoi, box.eos, box.gpib_read_timeout, box.version.strip()],
        "afg": set_up_laser(AFG3152C(box)),
        "supply": supply_laser(supply),
    }
    box.write_binary_values("DATA EMEM,", [13, 10, 27, 43], datatype="B")
    box.write("DATA? EMEM")
    box.write("++read eoi")
    told["memory"] = list(box.connection.read_bytes(8, break_on_termchar=False))
    return told


def agilent(port: str) -> Any:
    from pymeasure.instruments.agilent import Agilent33220A

    generator = Agilent33220A(adapter(port))
    wanted = {
        "shape": "SQU",
        "frequency": 100.0,
        "amplitude_unit": "VPP",
        "amplitude": 3.0,
        "offset": 0.5,
        "voltage_high": 2.0,
        "voltage_low": -2.0,
        "square_dutycycle": 40.0,
        "ramp_symmetry": 30.0,
        "pulse_period": 0.01,
        "pulse_hold": "WIDT",
        "pulse_width": 0.001,
        "pulse_dutycycle": 20.0,
        "pulse_transition": 1e-8,
        "burst_state": True,
        "burst_mode": "TRIG",
        "burst_ncycles": 2,
        "trigger_source": "BUS",
        "trigger_state": True,
        "beeper_state": False,
        "output": True,
    }
    generator.reset()
    read = {}
    for name, value in wanted.items():
        setattr(generator, name, value)
        read[name] = getattr(generator, name)
    generator.remote_local_state = "REM"
    generator.trigger()
    generator.wait_for_trigger(timeout=5)
    generator.beep()
    return {"id": generator.id, "wanted": wanted, "read": read, "errors": generator.check_errors()}


def pylablib(port: str, model: str) -> Any:
    from pylablib.core.devio.comm_backend import NetworkDeviceBackend
    from pylablib.devices import AWG
    from pylablib.devices.AWG.generic import GenericAWGBackendError

    # Its own default on networks is CR LF, which neither maker sends.
    line = NetworkDeviceBackend(
        ("127.0.0.1", int(port)),
        timeout=5,
        term_write="\n",
        term_read=["\n"],
        reraise_error=GenericAWGBackendError,
    )
    generator = getattr(AWG, model)(line)
    told = {
        "id": generator.get_id(),
        "channels": generator.get_channels_number(),
        "function": generator.set_function("square"),
        "frequency": generator.set_frequency(100),
        "amplitude": generator.set_amplitude(1.5),
        "offset": generator.set_offset(0),
        "range": generator.get_output_range(),
        "burst": [
            generator.enable_burst(True),
            generator.set_burst_mode("trig"),
            generator.set_burst_ncycles(2),
        ],
        "on": generator.enable_output(True),
        "all": generator.get_settings(),
    }
    generator.close()
    return told


def visa(port: str) -> Any:
    """No driver at all."""
    import pyvisa

    manager = pyvisa.ResourceManager("@py")
    with manager.open_resource(resource(port), **LINES) as instrument:
        values = instrument.query_ascii_values("INST:NSEL 2;:VOLT 11.5;:VOLT?;:CURR?", separator=";")
        return {"id": instrument.query("*IDN?"), "values": values}


def all_of_pymeasure(at: dict[str, Any]) -> dict[str, Any]:
    return {
        "visa": visa(at["supply"]),
        "supply": e3631a(at["supply"]),
        "serial": e3631a_serial(at["serial"]),
        "afg": afg(at["afg"]),
        "box": prologix(at["gpib"]),
        "agilent": agilent(at["agilent"]),
    }


def all_of_pylablib(at: dict[str, Any]) -> dict[str, Any]:
    return {
        "afg": pylablib(at["afg"], "TektronixAFG1000"),
        "agilent": pylablib(at["agilent"], "Agilent33220A"),
    }


if __name__ == "__main__":
    drive = {"pymeasure": all_of_pymeasure, "pylablib": all_of_pylablib}[sys.argv[1]]
    json.dump(drive(json.loads(sys.argv[2])), sys.stdout)
