"""Registers of an ICM: names, addresses and what their bits mean (fh_server, scripts/icmregs.py)."""

from __future__ import annotations

from typing import Final

HUB: Final = 8
"""Wire-pair address of the field hub's own ICM."""

CTRL1: Final = 0x00
CTRL2: Final = 0x01
CSTAT: Final = 0x02
CONN_ICMS: Final = 0x03
CERR: Final = 0x04
MB_PWR: Final = 0x06
PKT_CNT: Final = 0x0E
MULTIB_ID: Final = 0x12
RCFG_STAT: Final = 0x14
GPS_STAT: Final = 0x20
WP_CUR: Final = 0x22
WP_VOLT: Final = 0x23
GPS_CTRL: Final = 0x2A
GPS_TIME: Final = 0x2B
UTC_WORDS: Final = (0x2E, 0x2D, 0x2C)
"""Seconds and minutes; hours and day of the year; the day's last digit and the year; all as decimal digits."""
RAPCAL_TIME: Final = 0x2F
"""The first of three words of the ICM's time at the last snapshot, lowest first."""
WP_PWR: Final = 0x33
ICM_ID: Final = 0xF0
MB_ID: Final = 0xF4
WP_ADDR: Final = 0xFC
GI_IND: Final = 0xFE
FW_VERS: Final = 0xFF
REGISTERS: Final = 0x100

ADDRESSES: Final = {
    "CTRL1": CTRL1,
    "CTRL2": CTRL2,
    "CSTAT": CSTAT,
    "CONN_ICMS": CONN_ICMS,
    "CERR": CERR,
    "MB_PWR": MB_PWR,
    "STATE_MON1": 0x07,
    "CRC_STAT": 0x0C,
    "CRC_RETRY": 0x0D,
    "PKT_CNT": PKT_CNT,
    "RCFG_CTRL": 0x10,
    "FLASHP_CFG": 0x11,
    "MULTIB_ID": MULTIB_ID,
    "RCFG_STAT": RCFG_STAT,
    "RCFG_ERR": 0x15,
    "GPS_STAT": GPS_STAT,
    "PSTAT": 0x21,
    "WP_CUR": WP_CUR,
    "WP_VOLT": WP_VOLT,
    "GPS_CTRL": GPS_CTRL,
    "GPS_TIME": GPS_TIME,
    "RAPCAL_TIME": RAPCAL_TIME,
    "WP_PWR": WP_PWR,
    "ENA_TK": 0x34,
    "TOKEN_CTRL": 0x34,
    "RAPCAL_CTRL": 0x35,
    "RAPCAL_STAT": 0x36,
    "FPGA_ALARMS": 0x9F,
    "FPGA_TEMP": 0xE2,
    "CRST_CNT": 0xEC,
    "DAC_AMP": 0xED,
    "ADC_THRESH": 0xEE,
    "ALT_ADDR": 0xEF,
    "ICM_ID": ICM_ID,
    "MB_ID": MB_ID,
    "WP_ADDR": WP_ADDR,
    "TEST_DATA": 0xFD,
    "GI_IND": GI_IND,
    "FW_VERS": FW_VERS,
}

POWER_ON: Final = 0x454E
POWER_OFF: Final = 0x6469
"""What MB_PWR and WP_PWR read and take."""

CLEAR_ERRORS: Final = 0x0008
TERMINATED: Final = 0x0010
EXTERNAL_CLOCK: Final = 0x0100
"""Bits of CTRL1."""

MCU_FLASH: Final = 0x0001
FPGA_CONFIG: Final = 0x0002
LID: Final = 0x0004
PMT_HV: Final = 0x0008
INTERLOCKS: Final = 0x0010
"""Bits of CTRL2; without the last one no interlock is released."""
CTRL2_RESET: Final = INTERLOCKS | FPGA_CONFIG
"""What CTRL2 is after an ICM got power or was reconfigured."""

GOLDEN: Final = 0x0001
"""GI_IND after power-up; 0 once the ICM was reconfigured to an image of its own."""

GPS_ASKED: Final = 0x0001
GPS_READY: Final = 0x0002
GPS_LOCKED: Final = 0x000E


def address_of(text: str, number: int | None) -> int | None:
    """The address of a register that a client names by its name or, *number*, by its number; None: there is none."""
    if number is not None:
        return number if number < REGISTERS else None
    return ADDRESSES.get(text.upper())
