"""The six detectors of `stellwerk caldb populate`."""

from __future__ import annotations

from typing import Final

from sim.caldb.populate.kinds import AGIPD, DSSC, EPIX100, JUNGFRAU, LPD, PNCCD, Detector

BIAS: Final = {"Sensor Bias Voltage": 1.0}
COLD: Final = {**BIAS, "Sensor Temperature": 5.0}
LPD_ORDER: Final = "".join(f"{cell}," for cell in range(8, 512, 16))

DETECTORS: Final = (
    Detector(
        "SPB_DET_AGIPD1M-1",
        "AGIPD-Type",
        "SPB_IRU_AGIPD1M1",
        "SPB_DET_AGIPD1M-1/DET/{modno}CH0:xtdf",
        "AGIPD",
        tuple(range(16)),
        {
            "Sensor Bias Voltage": 300.0,
            "Pixels X": 512.0,
            "Pixels Y": 128.0,
            "Acquisition rate": 1.1,
            "Gain setting": 0.0,
            "Source energy": 9.2,
        },
        AGIPD,
        BIAS,
        {
            "Sensor Bias Voltage": (200.0, 300.0),
            "Acquisition rate": (1.1, 2.2, 4.5),
            "Gain setting": (0.0, 1.0),
        },
    ),
    Detector(
        "FXE_DET_LPD1M-1",
        "LPD-Type",
        "FXE_DET_LPD1M-1",
        "FXE_DET_LPD1M-1/DET/{modno}CH0:xtdf",
        "LPD",
        tuple(range(16)),
        {
            "Sensor Bias Voltage": 250.0,
            "Pixels X": 256.0,
            "Pixels Y": 256.0,
            "Feedback capacitor": 5.0,
            "Memory cell order": LPD_ORDER,
            "Source energy": 9.3,
            "category": 0.0,
        },
        LPD,
        BIAS,
        {"Sensor Bias Voltage": (200.0, 250.0), "Feedback capacitor": (5.0, 50.0)},
    ),
    Detector(
        "SCS_DET_DSSC1M-1",
        "DSSC-Type",
        "SCS_DET_DSSC1M-1",
        "SCS_DET_DSSC1M-1/DET/{modno}CH0:xtdf",
        "DSSC",
        tuple(range(16)),
        {
            "Sensor Bias Voltage": 100.0,
            "Pixels X": 512.0,
            "Pixels Y": 128.0,
            "Pulse id checksum": 2.8866323107820637e-36,
            "Acquisition rate": 4.5,
            "Target gain": 1.0,
            "Encoded gain": 67174419.0,
        },
        DSSC,
        BIAS,
        {"Acquisition rate": (1.1, 2.2, 4.5), "Target gain": (1.0, 2.0, 6.0)},
    ),
    Detector(
        "SPB_IRDA_JF4M",
        "jungfrau-Type",
        "SPB_IRDA_JF4M/DET/CONTROL",
        "SPB_IRDA_JF4M/DET/JNGFR{modno:02d}:daqOutput",
        "JNGFR",
        tuple(range(1, 9)),
        {
            "Sensor Bias Voltage": 180.0,
            "Memory cells": 1.0,
            "Pixels X": 1024.0,
            "Pixels Y": 512.0,
            "Integration time": 250.0,
            "Sensor Temperature": 291.0,
            "Gain setting": 0.0,
        },
        JUNGFRAU,
        COLD,
        {"Integration time": (10.0, 50.0, 250.0), "Gain setting": (0.0, 1.0)},
        fixed_cells=True,
    ),
    Detector(
        "HED_IA1_EPX100-1",
        "ePix100-Type",
        "HED_IA1_EPX100-1/DET/CONTROL",
        "HED_IA1_EPX100-1/DET/RECEIVER:daqOutput",
        "EPIX",
        (1,),
        {
            "Sensor Bias Voltage": 200.0,
            "Memory cells": 1.0,
            "Pixels X": 708.0,
            "Pixels Y": 768.0,
            "Integration time": 50.0,
            "Sensor Temperature": 288.0,
            "In vacuum": 0.0,
        },
        EPIX100,
        COLD,
        {"Integration time": (10.0, 50.0, 100.0), "In vacuum": (0.0, 1.0)},
        fixed_cells=True,
    ),
    Detector(
        "SQS_NQS_PNCCD1MP",
        "pnCCD-Type",
        "SQS_NQS_PNCCD1MP/MDL/DATA_PROCESSOR",
        "SQS_NQS_PNCCD1MP/CAL/PNCCD_FMT-0:output",
        "PNCCD",
        (1,),
        {
            "Sensor Bias Voltage": 300.0,
            "Memory cells": 1.0,
            "Pixels X": 1024.0,
            "Pixels Y": 1024.0,
            "Integration time": 70.0,
            "Sensor Temperature": 233.0,
            "Gain setting": 16.0,
        },
        PNCCD,
        COLD,
        {"Gain setting": (1.0, 4.0, 16.0, 64.0)},
        fixed_cells=True,
    ),
)
"""The conditions of a bench that are left out at their usual value (gain mode 0 and the like) are left out here too."""
