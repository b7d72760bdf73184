from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.dectris.configuration import DetectorConfiguration, StreamSettings
from sim.dectris.configuration.detector_keys import HC_EV_ANGSTROM, K_ALPHA_EV
from sim.dectris.images.frames import Layout, Ring, Uploaded
from sim.dectris.models import MODELS, Model, custom
from sim.dectris.refusal import Refused

FASTCS_KEYS = """
auto_summation beam_center_x beam_center_y bit_depth_image bit_depth_readout chi_increment chi_start compression
count_time counting_mode countrate_correction_applied countrate_correction_count_cutoff data_collection_date
description detector_distance detector_number detector_readout_time eiger_fw_version element extg_mode fast_arm
flatfield_correction_applied frame_count_time frame_time incident_energy incident_particle_type instrument_name
kappa_increment kappa_start mask_to_zero nexpi nimages ntrigger ntriggers_skipped number_of_excluded_pixels
omega_increment omega_start phi_increment phi_start photon_energy pixel_mask_applied roi_mode sample_name
sensor_material sensor_thickness software_version source_name threshold/1/energy threshold/1/mode
threshold/1/number_of_excluded_pixels threshold/2/energy threshold/2/mode threshold/2/number_of_excluded_pixels
threshold/difference/lower_threshold threshold/difference/mode threshold/difference/upper_threshold
threshold_energy total_flux trigger_mode trigger_start_delay two_theta_increment two_theta_start
virtual_pixel_correction_applied x_pixel_size x_pixels_in_detector y_pixel_size y_pixels_in_detector
"""
"""The expected set of fastcs-eiger's system test."""
ENABLED = ["enabled", "disabled"]
FASTCS_ALLOWED = {
    "compression": ["lz4", "bslz4", "none"],
    "counting_mode": ["normal", "retrigger"],
    "element": list(K_ALPHA_EV),
    "extg_mode": ["single", "double"],
    "roi_mode": ["disabled", "4M-L", "4M-R"],
    "threshold/1/mode": ENABLED,
    "threshold/2/mode": ENABLED,
    "threshold/difference/mode": ENABLED,
    "trigger_mode": ["eies", "exte", "extg", "exts", "inte", "ints"],
}


class Blank:
    """A source without images: an empty mask."""

    def __init__(self, fixed: Layout | None = None) -> None:
        self.fixed = fixed

    def ring(self, layout: Layout, uploaded: Uploaded | None = None) -> Ring:
        raise NotImplementedError

    def pixel_mask(self, layout: Layout, channel: int = 0) -> NDArray[np.uint32]:
        return np.zeros((layout.height, layout.width), np.uint32)

    def flatfield(self, layout: Layout, channel: int = 0) -> NDArray[np.float32]:
        return np.ones((layout.height, layout.width), np.float32)


def configured(name: str = "EIGER2 X 16M") -> DetectorConfiguration:
    return DetectorConfiguration(MODELS[name], Blank())


@pytest.fixture
def small() -> DetectorConfiguration:
    return DetectorConfiguration(custom(64, 32, 16, "Dectris EIGER2 Si small", "E-00-0001"), Blank())


def refused(config: DetectorConfiguration, name: str, value: object) -> str:
    before = config.values
    with pytest.raises(Refused) as caught:
        config.write(name, value)
    assert config.values == before
    return caught.value.reason


def test_a_16m_lists_what_fastcs_eiger_expects() -> None:
    registry = configured().registry
    assert registry.listed() == sorted(FASTCS_KEYS.split())
    described = {name: registry.describe(name) for name in registry.listed()}
    allowed = {name: key["allowed_values"] for name, key in described.items() if "allowed_values" in key}
    assert allowed == FASTCS_ALLOWED
    assert {key["value_type"] for key in described.values()} == {"bool", "uint", "float", "string"}


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_every_model_begins_with_values_that_its_own_keys_allow(model: Model) -> None:
    config = DetectorConfiguration(model, Blank())
    for name, value in config.values.items():
        key = config.registry.key(name)
        if key.access == "rw" and name != "element":
            assert config.registry.check(name, value) == value
    assert config.layout().channels == ("threshold_1",)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("EIGER2 X 1M", (1028, 1062)),
        ("EIGER2 X 4M", (2068, 2162)),
        ("EIGER2 X 9M", (3108, 3262)),
        ("EIGER2 X 16M", (4148, 4362)),
        ("EIGER X 500K", (1030, 514)),
        ("QUADRO", (512, 512)),
        ("ARINA", (192, 192)),
    ],
)
def test_sizes_follow_from_the_modules(name: str, size: tuple[int, int]) -> None:
    layout = configured(name).layout()
    assert (layout.width, layout.height) == size


def test_count_and_frame_time_keep_the_readout_time_between_them(small: DetectorConfiguration) -> None:
    changed = small.write("count_time", 2.0)
    assert changed[0] == "bit_depth_image"
    assert small.registry["frame_time"] == pytest.approx(2.0 + 1e-7, abs=1e-12)
    small.write("frame_time", 0.01)
    assert small.registry["count_time"] == pytest.approx(0.01 - 1e-7, abs=1e-12)


def test_bit_depth_follows_rate_and_exposure() -> None:
    config = configured("EIGER2 X 4M")
    config.write("frame_time", 1 / 560)
    assert config.layout().bit_depth == 16
    config.write("frame_time", 1 / 1120)
    assert config.layout().bit_depth == 8
    assert "must lie in" in refused(config, "frame_time", 1 / 1200)
    config.write("count_time", 2.0)
    assert config.layout().bit_depth == 32
    config.write("auto_summation", False)
    assert config.layout().bit_depth == 16


def test_the_cutoff_is_the_captured_one() -> None:
    config = configured()
    config.write("count_time", 0.00431746)
    assert config.registry["countrate_correction_count_cutoff"] == pytest.approx(21517, abs=2)


def test_a_roi_moves_the_beam_centre_and_resets_the_times() -> None:
    config = configured()
    config.write("frame_time", 0.01)
    assert config.write("roi_mode", "4M-R") == ["count_time", "frame_time", "roi_mode"]
    layout = config.layout()
    assert (layout.width, layout.height) == (2068, 2162)
    assert config.registry["beam_center_x"] == 4148 / 2 - 2080
    assert (config.registry["count_time"], config.registry["frame_time"]) == (0.5, 1.0)
    config.write("roi_mode", "disabled")
    assert config.registry["beam_center_x"] == 4148 / 2


def test_lines_are_faster() -> None:
    config = configured("QUADRO")
    config.write("roi_mode", "lines")
    config.write("roi_bit_depth", 8)
    config.write("roi_y_size", 64)
    config.write("frame_time", 1 / 18000)
    assert (config.layout().height, config.layout().bit_depth) == (64, 8)
    assert "even" in refused(config, "roi_y_size", 65)
    assert "cannot be 512" in refused(config, "roi_y_size", 512)


def test_binning_needs_a_frame_time_that_the_new_size_can_reach() -> None:
    config = configured("ARINA")
    config.write("binning_mode", "2x2")
    config.write("frame_time", 1 / 120_000)
    assert (config.layout().width, config.layout().height, config.layout().bit_depth) == (96, 96, 16)
    assert config.registry["beam_center_x"] == 48
    assert "frame_time" in refused(config, "binning_mode", "none")


def test_energies_are_coupled() -> None:
    config = configured()
    assert "wavelength" in config.write("element", "Cu")
    assert config.registry["photon_energy"] == K_ALPHA_EV["Cu"]
    assert config.registry["threshold_energy"] == config.registry["threshold/1/energy"] == 4023.89
    config.write("wavelength", 1.0)
    assert config.registry["element"] == ""
    assert config.registry["incident_energy"] == pytest.approx(HC_EV_ANGSTROM)
    assert config.write("threshold_energy", 5000)[0] == "flatfield"
    assert config.registry["threshold/1/energy"] == 5000.0


def test_thresholds_ascend_and_the_difference_needs_both() -> None:
    config = configured()
    assert "all thresholds" in refused(config, "threshold/difference/mode", "enabled")
    config.write("threshold/2/mode", "enabled")
    assert config.write("threshold/difference/mode", "enabled") == ["difference_mode"]
    assert config.layout().channels == ("threshold_1", "threshold_2", "difference")
    assert "ascend" in refused(config, "threshold/1/energy", 20000.0)
    assert config.write("threshold/2/mode", "disabled") == ["threshold/2/mode", "threshold/difference/mode"]
    assert config.layout().channels == ("threshold_1",)
    config.write("threshold/1/mode", "disabled")
    with pytest.raises(Refused, match="no threshold"):
        config.layout()


def test_beam_centre_and_translation_are_the_same_thing_twice(small: DetectorConfiguration) -> None:
    small.write("beam_center_x", 10)
    small.write("beam_center_y", 20)
    small.write("detector_distance", 0.5)
    assert small.registry.numbers("detector_translation") == pytest.approx([10 * 7.5e-5, 20 * 7.5e-5, 0.5])
    small.write("detector_translation", [7.5e-4, 0.0, 1.0])
    assert small.registry["beam_center_x"] == pytest.approx(10)
    assert small.registry["detector_distance"] == 1.0
    small.write("detector_orientation_angle", 0)
    assert small.registry["beam_center_x"] == pytest.approx(-10)
    small.write("detector_orientation", [1, 0, 0, 0, 1, 0])
    assert small.registry["detector_orientation_angle"] == 0
    assert "parallel" in refused(small, "detector_orientation", [0, 0, 1, 0, 1, 0])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("count_time", "1", "type float"),
        ("count_time", True, "type float"),
        ("count_time", float("nan"), "must lie in"),
        ("count_time", 10**400, "must lie in"),
        ("beam_center_x", 10**400, "must lie in"),
        ("beam_center_x", float("inf"), "must lie in"),
        ("nimages", 0, "must lie in"),
        ("nimages", 1.0, "type uint"),
        ("compression", "gzip", "one of lz4, bslz4, none"),
        ("description", "mine", "read-only"),
        ("sample_name", "\ud800", "no text"),
        ("sample_name", "x" * 5000, "longer"),
        ("detector_translation", [1.0], "3 elements"),
        ("detector_translation", [0.0, 0.0, float("nan")], "must lie in"),
        ("transformation_order", ["nu"], "one of"),
        ("pixel_mask", 1, "__darray__"),
        ("no_such_key", 1, "does not exist"),
    ],
)
def test_bad_values_change_nothing_and_get_a_reason(
    small: DetectorConfiguration, name: str, value: object, said: str
) -> None:
    assert said in refused(small, name, value)


def test_arrays_are_put_for_their_size_and_restored(small: DetectorConfiguration) -> None:
    mask = np.zeros((32, 64), np.uint32)
    mask[3, 5] = 2
    assert small.write_array("pixel_mask", mask) == ["pixel_mask", "threshold/1/pixel_mask"]
    assert np.array_equal(small.read_array("threshold/1/pixel_mask"), mask)
    assert not small.read_array("threshold/2/pixel_mask").any()
    assert small.registry["number_of_excluded_pixels"] == 1
    assert np.array_equal(small.pixel_masks(small.layout())[0], mask)
    uploaded = small.uploaded(small.layout())
    assert uploaded is not None
    assert list(uploaded.pixel_mask) == ["threshold_1"]
    assert not uploaded.flatfield
    with pytest.raises(Refused, match="64 x 32"):
        small.write_array("pixel_mask", mask.T)
    with pytest.raises(Refused, match="finite"):
        small.write_array("flatfield", np.full((32, 64), np.nan, np.float32))
    with pytest.raises(Refused, match="read-only"):
        small.write_array("countrate_correction_table", mask)
    small.write_array("pixel_mask", None)
    assert not small.read_array("pixel_mask").any()
    assert small.uploaded(small.layout()) is None
    assert small.read_array("countrate_correction_table").shape == (2, 1000)


def test_a_recording_decides_size_depth_and_compression() -> None:
    config = DetectorConfiguration(MODELS["EIGER2 X 16M"], Blank(Layout(20, 10, 32, "lz4")))
    layout = config.layout()
    assert (layout.width, layout.height, layout.bit_depth, layout.compression) == (20, 10, 32, "lz4")
    assert "one of lz4" in refused(config, "compression", "bslz4")


def test_defaults_of_the_unit_come_back_with_initialize() -> None:
    model = custom(64, 32, 16, "Dectris EIGER2 Si small", "E-00-0001")
    config = DetectorConfiguration(model, Blank(), {"photon_energy": 12400.0})
    config.write("photon_energy", 9000)
    config.reset()
    assert config.registry["photon_energy"] == 12400.0
    with pytest.raises(Refused, match="nimages"):
        DetectorConfiguration(model, Blank(), {"nimages": 0})


def test_settings_write_all_or_none() -> None:
    stream = StreamSettings({"mode": "enabled"})
    with pytest.raises(Refused):
        stream.write({"format": "cbor", "header_detail": "most"})
    assert (stream.format, stream.enabled) == ("legacy", True)
    stream.write({"header_appendix": {"user": ["data", 1]}})
    assert stream.header_appendix == {"user": ["data", 1]}
    with pytest.raises(Refused, match="longer"):
        stream.write({"image_appendix": "x" * 5000})
    with pytest.raises(Refused, match="no message"):
        stream.write({"image_appendix": ["\ud800"]})
    stream.initialize()
    assert not stream.enabled
    stream.boot()
    assert stream.enabled
