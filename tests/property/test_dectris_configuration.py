from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.dectris.configuration import DetectorConfiguration
from sim.dectris.configuration.placement import translation
from sim.dectris.configuration.readout import min_frame_time
from sim.dectris.images.frames import Layout, Ring, Uploaded
from sim.dectris.models import MODELS, Model
from sim.dectris.refusal import Refused

SMALL_MODELS = [model for model in MODELS.values() if model.width * model.height < 600_000]


class Blank:
    fixed: Layout | None = None

    def ring(self, layout: Layout, uploaded: Uploaded | None = None) -> Ring:
        raise NotImplementedError

    def pixel_mask(self, layout: Layout, channel: int = 0) -> NDArray[np.uint32]:
        return np.zeros((layout.height, layout.width), np.uint32)

    def flatfield(self, layout: Layout, channel: int = 0) -> NDArray[np.float32]:
        return np.ones((layout.height, layout.width), np.float32)


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**400), 2**63, 5e-324, 1e308, "\ud800", "\0"]),
    st.text(max_size=10),
    st.lists(st.floats(), max_size=6),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)
COUPLED = (
    "count_time",
    "frame_time",
    "roi_mode",
    "roi_y_size",
    "binning_mode",
    "pixel_format",
    "photon_energy",
)


def _value(data: st.DataObject, config: DetectorConfiguration, name: str) -> Any:
    """Often a value that the key can have, else anything."""
    key = config.registry.key(name)
    if key.allowed:
        return data.draw(st.one_of(st.sampled_from(key.allowed), ANYTHING))
    if key.value_type == "float" and key.low is not None and key.high is not None:
        return data.draw(st.one_of(st.floats(key.low, key.high), ANYTHING))
    return data.draw(st.one_of(st.integers(0, 1000), st.floats(0, 1000), st.booleans(), ANYTHING))


@settings(max_examples=40, derandomize=True, deadline=None)
@given(model=st.sampled_from(SMALL_MODELS), data=st.data())
def test_whatever_is_written_the_configuration_stays_one_that_the_detector_can_have(
    model: Model, data: st.DataObject
) -> None:
    config = DetectorConfiguration(model, Blank())
    names = sorted(config.values)
    for _ in range(6):
        some = data.draw(st.booleans())
        name = data.draw(st.sampled_from([key for key in COUPLED if key in names] if some else names))
        before = config.values
        try:
            changed = config.write(name, _value(data, config, name))
        except Refused as refused:
            changed = []
            status = refused.status
        if not changed:
            assert status in (400, 403)
            assert config.values == before
            continue
        values = config.values
        json.dumps(values, allow_nan=False).encode()
        count_s, frame_s = config.registry.number("count_time"), config.registry.number("frame_time")
        assert frame_s >= min_frame_time(config.model, values) * (1 - 1e-9)
        assert frame_s - count_s >= model.readout_time_s * (1 - 1e-6) or math.isclose(frame_s, count_s)
        assert np.allclose(
            config.registry.numbers("detector_translation"),
            translation(values)["detector_translation"],
            rtol=1e-6,
            atol=1e-9,
        )
        for key, value in values.items():
            known = config.registry.key(key)
            if known.access == "rw" and key != "element":
                assert config.registry.check(key, value) == value
