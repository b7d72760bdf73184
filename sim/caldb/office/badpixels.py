"""Names of the bits of bad-pixel masks (calibration reference C4; the pipeline's table says the same)."""

from __future__ import annotations

from typing import Final

BITS: Final = {
    0: "OFFSET_OUT_OF_THRESHOLD",
    1: "NOISE_OUT_OF_THRESHOLD",
    2: "OFFSET_NOISE_EVAL_ERROR",
    3: "NO_DARK_DATA",
    4: "CI_GAIN_OF_OF_THRESHOLD",
    5: "CI_LINEAR_DEVIATION",
    6: "CI_EVAL_ERROR",
    7: "FF_GAIN_EVAL_ERROR",
    8: "FF_GAIN_DEVIATION",
    9: "FF_NO_ENTRIES",
    10: "CI2_EVAL_ERROR",
    11: "VALUE_IS_NAN",
    12: "VALUE_OUT_OF_RANGE",
    13: "GAIN_THRESHOLDING_ERROR",
    14: "DATA_STD_IS_ZERO",
    15: "ASIC_STD_BELOW_NOISE",
    16: "INTERPOLATED",
    17: "NOISY_ADC",
    18: "OVERSCAN",
    19: "NON_SENSITIVE",
    20: "NON_LIN_RESPONSE_REGION",
    21: "WRONG_GAIN_VALUE",
    22: "NON_STANDARD_SIZE",
    23: "EXPERT_CHOICE",
    30: "USER1",
    31: "USER2",
}


def bit_name(bit: int) -> str:
    """Name of a bit; a bit without one is named by its number."""
    return BITS.get(bit, f"bit {bit}")
