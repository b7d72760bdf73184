"""Commands to a wire pair, against exchanges written by hand, and what they do to power and modules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.degg.icm_commands import COMMANDS
from sim.kernel import NS_PER_S, SimTime

GOLDEN = [
    # Requests and answers assembled from peripherals.md ("domnet and ICM commands"), the keys and texts as the public
    # client sends them, register numbers from fh_server's icmregs.py.
    (b'{"command": "devlist"}', {"status": "OK", "value": [0, 1, 2, 3, 8]}),
    (b'{"command": "probe", "device": "8"}', {"status": "OK"}),
    (b'{"command": "pmt_hv_enable", "device": "2"}', {"status": "OK"}),
    (b'{"command": "get_gps_status", "device": "8"}', {"status": "OK", "value": "0x000e"}),
    (b'{"command": "read", "device": "8", "register": "wp_pwr"}', {"status": "OK", "value": "0x454e"}),
    (b'{"command": "read", "device": "1", "register": "MB_PWR"}', {"status": "OK", "value": "0x454e"}),
    (b'{"command": "read", "device": "1", "register": "0x06"}', {"status": "OK", "value": "0x454e"}),
    (b'{"command": "read", "device": "1", "register": "ctrl2"}', {"status": "OK", "value": "0x0012"}),
    (b'{"command": "read", "device": "3", "register": "CERR"}', {"status": "OK", "value": "0x0000"}),
    (b'{"command": "read", "device": "3", "register": "CSTAT"}', {"status": "OK", "value": "0x0000"}),
    (b'{"command": "read", "device": "3", "register": "wp_addr"}', {"status": "OK", "value": "0x0003"}),
    (b'{"command": "read", "device": "8", "register": "3"}', {"status": "OK", "value": "0x000f"}),
    (b'{"command": "read", "device": "3", "register": "FW_VERS"}', {"status": "OK", "value": "0x1535"}),
    (
        b'{"command": "read", "device": "2", "register": "MB_ID"}',
        {"status": "OK", "value": "0x0000000000000000000000000000138a"},
    ),
    (
        b'{"command": "read", "device": "2", "register": "ICM_ID"}',
        {"status": "OK", "value": "0xa400000f18a1138a"},
    ),
    (b'{"command": "write", "device": "8", "register": "0", "value": "0x0100"}', {"status": "OK"}),
]
MALFORMED = {
    b"": "?BADREQ",
    b"\xff\xfe": "?BADREQ",
    b"[]": "?BADREQ",
    b"3": "?BADREQ",
    b'"devlist"': "?BADREQ",
    b"{}": "?BADREQ",
    b'{"command": 3}': "?BADREQ",
    b'{"command": "devlist", "device": 8}': "?BADREQ",
    b'{"command": "devlist"} {"command": "devlist"}': "?BADREQ",
    b"[" * 60_000: "?BADREQ",
    b'{"command": "devlist"}' + b" " * 70_000: "?BADREQ",
    b'{"command": "launch"}': "?BADCMD",
    b'{"command": "read", "device": "9", "register": "CSTAT"}': "?BADDEV",
    b'{"command": "read", "device": "-1", "register": "CSTAT"}': "?BADDEV",
    b'{"command": "read", "device": "", "register": "CSTAT"}': "?BADDEV",
    b'{"command": "read", "register": "CSTAT"}': "?BADDEV",
    b'{"command": "read", "device": "5", "register": "CSTAT"}': "?NOCONN",
    b'{"command": "read", "device": "1", "register": "NO_SUCH"}': "?BADREG",
    b'{"command": "read", "device": "1", "register": "0x100"}': "?BADREG",
    b'{"command": "read", "device": "1"}': "?BADREG",
    b'{"command": "write", "device": "1", "register": "0xed"}': "?BADVAL",
    b'{"command": "write", "device": "1", "register": "0xed", "value": "0x10000"}': "?BADVAL",
    b'{"command": "write", "device": "1", "register": "MB_PWR", "value": "1"}': "?BADVAL",
    b'{"command": "wp_off", "device": "1"}': "?LOCALONLY",
    b'{"command": "mb_off", "device": "8"}': "?REMOTEONLY",
}


@pytest.mark.parametrize(("request_bytes", "reply"), GOLDEN)
def test_exchanges_by_hand(lab: Any, request_bytes: bytes, reply: dict[str, Any]) -> None:
    assert lab.ask_bytes(request_bytes) == reply


@pytest.mark.parametrize(("request_bytes", "status"), MALFORMED.items(), ids=lambda value: str(value)[:60])
def test_whatever_is_malformed_is_answered(lab: Any, request_bytes: bytes, status: str) -> None:
    assert lab.ask_bytes(request_bytes) == {"status": status}
    assert lab.ask("devlist")["status"] == "OK"


TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["read", "write", "wp_off", "rapcal", "mb_on", "8", "0", "3", "0x2B", "CTRL2", "0x454e", "9" * 30]
    ),
)
VALUES = TEXTS | st.none() | st.booleans() | st.integers() | st.floats() | st.lists(TEXTS, max_size=2)
KEYS = st.sampled_from(["command", "device", "register", "value", "x"])


@settings(max_examples=100, derandomize=True)
@given(
    st.binary(max_size=200)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(KEYS, VALUES, max_size=4).map(lambda fields: json.dumps(fields).encode())
    | st.tuples(st.sampled_from(sorted(COMMANDS)), TEXTS, TEXTS, TEXTS).map(
        lambda texts: json.dumps(
            dict(zip(("command", "device", "register", "value"), texts, strict=True))
        ).encode()
    )
)
def test_no_request_breaks_it(make_lab: Any, body: bytes) -> None:
    lab = make_lab()
    assert isinstance(lab.ask_bytes(body)["status"], str)
    assert lab.ask("version")["status"] == "OK"


def test_interlocks_reach_the_module_that_is_named_or_each_in_turn(lab: Any) -> None:
    lab.ask("pmt_hv_enable 2")
    assert [board.interlocks.pmt_hv for board in lab.boards.values()] == [False, False, True, False]
    lab.now = SimTime(5)
    lab.ask("lid_enable")
    lab.ask("mcu_flash_enable")
    lab.ask("pmt_hv_disable 2")
    switches = lab.boards[5002].interlocks
    assert (switches.pmt_hv, switches.lid, switches.mcu_flash) == (False, True, True)
    assert switches.changes[-1] == 5
    # bits: 0x10 enable, 0x04 LID, 0x02 FPGA configuration (its reset value), 0x01 MCU flash
    assert lab.ask("read 2 CTRL2") == {"status": "OK", "value": "0x0017"}
    lab.ask("write 2 ctrl2 0x0008")  # without the enabling bit nothing is released
    assert [switches.pmt_hv, switches.lid, switches.mcu_flash, switches.fpga_config] == [False] * 4


def test_a_wire_pair_without_power_has_lost_its_modules_and_their_interlocks(lab: Any) -> None:
    lab.ask("pmt_hv_enable")
    lab.ask("mb_off 1")
    lab.ask("wp_off")
    assert lab.power.powered_since(5000) is None
    assert not lab.boards[5000].interlocks.pmt_hv
    assert lab.ask("devlist")["value"] == [8]
    assert lab.ask("read 0 CSTAT") == {"status": "?NOCONN"}
    assert lab.ask("read 8 WP_PWR")["value"] == "0x6469"
    lab.ask("wp_on 8")
    assert lab.ask("devlist")["value"] == [8], "only a probe finds who came back"
    lab.ask("probe")
    assert lab.ask("devlist")["value"] == [0, 1, 2, 3, 8]
    assert lab.power.powered_since(5001) is not None, "an ICM that starts gives its mainboard power"
    assert not lab.boards[5000].interlocks.pmt_hv


def test_mains_that_fail_take_the_hub_along(lab: Any) -> None:
    lab.power.set_mains(lab.now, False)
    assert lab.ask("devlist") == {"status": "?NOTREADY"}
    assert lab.ask("read 8 CSTAT") == {"status": "?NOTREADY"}
    assert lab.ask("version")["status"] == "OK"
    lab.power.set_mains(lab.now, True)
    lab.ask("probe")
    assert lab.ask("devlist")["value"] == [0, 1, 2, 3, 8]


def test_voltage_and_current_tell_what_has_power(lab: Any) -> None:
    full = float(lab.ask("wp_current")["value"])
    lab.ask("mb_off")
    without_boards = float(lab.ask("wp_current 8")["value"])
    volts = float(lab.ask("wp_voltage")["value"])
    lab.ask("wp_off")
    # 4 x 38 mA for mainboards; 10 mA + 4 x 12 mA are left; 96 V less 12 ohm times the current; 0.2 % noise
    assert full - without_boards == pytest.approx(0.152, abs=0.005)
    assert without_boards == pytest.approx(0.058, abs=0.002)
    assert volts == pytest.approx(95.3, abs=1.0)
    assert lab.ask("wp_voltage")["value"] == "0.000"
    assert lab.ask("read 8 WP_CUR")["value"] == "0.0000"


def test_readings_belong_to_the_seed_and_the_request(make_lab: Any) -> None:
    first, second = make_lab(), make_lab()
    one = [first.ask("wp_voltage") for _ in range(3)]
    second.now = SimTime(10**12)
    assert [second.ask("wp_voltage") for _ in range(3)] == one
    assert len({reply["value"] for reply in one}) > 1


def test_absent_module(lab: Any) -> None:
    lab.module_faults[5001].switch_on("absent")
    assert lab.ask("read 1 CSTAT") == {"status": "?TIMEOUT"}
    assert lab.ask("devlist")["value"] == [0, 2, 3, 8]
    assert lab.ask("pmt_hv_enable 1") == {"status": "?NOCONN"}
    lab.module_faults[5001].switch_off("absent")
    lab.ask("probe")
    assert lab.ask("read 1 CSTAT")["status"] == "OK"


def test_time_outs_in_a_row_drop_a_module(lab: Any) -> None:
    lab.module_faults[5001].switch_on("absent")
    assert [lab.ask("read 1 CSTAT")["status"] for _ in range(4)] == ["?TIMEOUT"] * 3 + ["?NOCONN"]


def test_gps_snapshot_comes_at_the_next_full_second(make_lab: Any) -> None:
    lab = make_lab(waits=True)
    lab.now = SimTime(86_400 * NS_PER_S * 31 + 300_000_000)
    assert lab.ask("get_gps_ctrl")["value"] == "0x0000"
    lab.ask("gps_enable")
    assert lab.ask("get_gps_ctrl 8")["value"] == "0x0001"
    lab.now = SimTime(lab.now + 699_999_999)
    assert lab.ask("get_gps_ctrl 8")["value"] == "0x0001"
    lab.now = SimTime(lab.now + 1)
    assert lab.ask("get_gps_ctrl 8")["value"] == "0x0002"
    # 32nd day of 2026, one second after midnight, in the public reader's three forms
    assert lab.ask("read 8 0x2B")["value"] == "2026-032T00:00:01"
    assert lab.ask("get_gps_time")["value"] == "2026-032T00:00:01"
    assert [lab.ask(f"read 8 {one}")["value"] for one in (0x2E, 0x2D, 0x2C)] == ["0x0100", "0x0003", "0x2260"]
    words = [int(lab.ask(f"read 8 {one}")["value"], 16) for one in (0x2F, 0x30, 0x31)]
    latched = int(lab.ask("get_icm_time 8")["value"], 16)
    assert latched == words[0] + (words[1] << 16) + (words[2] << 32)
    lab.ask("gps_enable")
    lab.now = SimTime(lab.now + NS_PER_S)
    assert int(lab.ask("get_icm_time 8")["value"], 16) - latched == 60_000_000


def test_gps_on_a_clock_that_its_client_holds_is_ready_at_once(lab: Any) -> None:
    lab.now = SimTime(2_500_000_000)
    lab.ask("write 8 0x2A 1")
    assert lab.ask("get_gps_ctrl")["value"] == "0x0002"
    assert lab.ask("get_gps_time")["value"] == "2026-001T00:00:02"


def test_lost_lock(lab: Any) -> None:
    lab.faults.switch_on("lose_gps_lock")
    lab.ask("gps_enable")
    assert lab.ask("get_gps_status")["value"] != "0x000e"
    assert lab.ask("get_gps_ctrl")["value"] != "0x0002"
    lab.faults.switch_off("lose_gps_lock")
    assert lab.ask("get_gps_ctrl")["value"] == "0x0002"


def test_counted_errors_grow_until_they_are_cleared(lab: Any) -> None:
    lab.faults.switch_on("miscount_errors")
    counts = [int(lab.ask("read 1 CERR")["value"], 16) for _ in range(3)]
    assert counts == [7, 14, 21]
    lab.faults.switch_off("miscount_errors")
    lab.ask("write 1 ctrl1 0x0008")
    assert lab.ask("read 1 CERR")["value"] == "0x0000"


def test_reconfiguration_takes_a_module_away_and_its_power(make_lab: Any) -> None:
    lab = make_lab(waits=True)
    lab.ask("pmt_hv_enable 1")
    assert lab.ask("read 1 GI_IND")["value"] == "0x0001", "after power-up ICMs run their golden image"
    lab.ask("set_fpga_image_id 1 2")
    assert lab.ask("fpga_reconfig 1") == {"status": "OK"}
    assert lab.power.powered_since(5001) is None
    assert not lab.boards[5001].interlocks.pmt_hv
    assert lab.ask("read 1 fw_vers") == {"status": "?TIMEOUT"}
    lab.now = SimTime(2 * NS_PER_S)
    assert lab.ask("read 1 gi_ind")["value"] == "0x0000"
    assert lab.ask("read 1 mb_pwr")["value"] == "0x6469"
    lab.ask("mb_on 1")
    assert lab.power.powered_since(5001) == 2 * NS_PER_S


def test_a_processor_is_reset_by_its_icm(lab: Any) -> None:
    lab.now = SimTime(4)
    lab.ask("mcu_reset 2")
    assert [board.starts for board in lab.boards.values()] == [[], [], [4], []]


def test_reboot_of_an_icm_leaves_everything_as_it_was(lab: Any) -> None:
    lab.ask("pmt_hv_enable 1")
    lab.now = SimTime(9)
    assert lab.ask("icm_fpga_reboot 1 2") == {"status": "OK"}
    assert lab.ask("read 1 gi_ind")["value"] == "0x0000"
    assert lab.boards[5001].interlocks.pmt_hv
    assert lab.power.powered_since(5001) == 9, "its mainboard lost power for a moment"
    assert lab.power.powered_since(5000) == 0


def test_reconfiguration_of_the_hub_needs_power_and_a_probe_afterwards(make_lab: Any) -> None:
    lab = make_lab(waits=True)
    lab.ask("fpga_reconfig 8")
    assert lab.ask("probe") == {"status": "?NOTREADY"}
    lab.now = SimTime(8 * NS_PER_S)
    assert lab.ask("devlist")["value"] == [8]
    assert lab.ask("read 8 wp_pwr")["value"] == "0x6469"
    lab.ask("wp_on")
    lab.ask("probe")
    assert lab.ask("devlist")["value"] == [0, 1, 2, 3, 8]


def test_the_tabletop_board_has_the_address_of_its_port(make_lab: Any) -> None:
    lab = make_lab((10007,), base=10000)
    assert lab.ask("devlist")["value"] == [7, 8]
    lab.ask("wp_off")
    assert lab.power.powered_since(10007) is None
