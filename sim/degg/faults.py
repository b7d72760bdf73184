"""What can be wrong with a module, on purpose. Each acts at the port that the board belongs to, `degg.5003`."""

from __future__ import annotations

from typing import Final

from sim.kernel import FaultSpec

MODULE_FAULTS: Final = (
    FaultSpec(
        "dead_fibre",
        "No light of the laser reaches one photomultiplier.",
        "the photomultiplier does not see the laser (check-laser-visibility)",
        {"channel": 0},
    ),
    FaultSpec(
        "dead_led",
        "One LED of the flasher gives no light.",
        "flasher test: eleven LEDs work",
        {"led": 1},
    ),
    FaultSpec(
        "wrong_fpga",
        "The FPGA runs another version than the one in flash; configuring it from flash mends it.",
        "fpgaVersion differs from the recorded one; a status check flashes it again",
        {"version": 268},
    ),
    FaultSpec(
        "unconfigured_fpga",
        "The FPGA has lost its configuration: version 65535 and no slow ADC until it is configured from flash.",
        "fpgaVersion is 65535; a status check flashes it again",
    ),
    FaultSpec(
        "refuse_configuration",
        "Configuring the FPGA from flash fails.",
        "flashing fails; after three attempts the expert is called",
    ),
    FaultSpec(
        "time_out",
        "The console does not answer; with `times`, for so many commands.",
        "the client's time-out; the module is listed as not responding",
    ),
    FaultSpec(
        "hang_power_cycle",
        "The mainboard does not start when it is given power; another power cycle helps.",
        "the module is listed as not responding after a reboot",
    ),
    FaultSpec(
        "trip_hv",
        "The high voltage of one photomultiplier falls to zero and stays there until it is enabled again.",
        "HV read-back below 1000 V",
        {"channel": 0},
    ),
    FaultSpec(
        "noisy_hv",
        "The high voltage of one photomultiplier fluctuates, relative to its value.",
        "HV spread above 2 %",
        {"channel": 0, "relative": 0.04},
    ),
    FaultSpec(
        "high_dark_rate",
        "One photomultiplier counts more in the dark.",
        "dark rate above its limit",
        {"channel": 0, "factor": 4.0},
    ),
    FaultSpec(
        "absent",
        "The module's ICM does not answer on its wire pair.",
        "one module less on its wire pair; ICM commands to it answer with an error",
    ),
)
