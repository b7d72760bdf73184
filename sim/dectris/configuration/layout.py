"""From a configuration to what the images of a series look like."""

from __future__ import annotations

from sim.dectris.configuration.detector_keys import threshold_names
from sim.dectris.configuration.readout import number, window_of
from sim.dectris.images.frames import Layout
from sim.dectris.keys import Registry
from sim.dectris.models import Model
from sim.dectris.refusal import Refused


def layout_of(registry: Registry, model: Model, channels: tuple[str, ...] | None = None) -> Layout:
    """The layout of a series that is armed with this configuration; *channels* in place of those that are enabled.

    Raises Refused (400) when no channel is on.
    """
    channels = channels or _enabled(registry, model)
    if not channels:
        raise Refused(400, "no threshold is enabled; enable threshold/1/mode")
    window = window_of(model, registry.values())
    return Layout(
        width=registry.count("x_pixels_in_detector"),
        height=registry.count("y_pixels_in_detector"),
        bit_depth=registry.count("bit_depth_image"),
        compression=registry.text("compression"),
        channels=channels,
        pixel_mask_applied=registry["pixel_mask_applied"] is True,
        mask_to_zero=registry["mask_to_zero"] is True,
        flatfield_applied=registry["flatfield_correction_applied"] is True,
        countrate_applied=registry["countrate_correction_applied"] is True,
        thresholds=_threshold_shares(registry, model),
        dead_share=_dead_share(model, registry.number("count_time")),
        origin=(window.x // window.binning, window.y // window.binning),
    )


def _enabled(registry: Registry, model: Model) -> tuple[str, ...]:
    names = [*threshold_names(model), *(("threshold/difference",) if model.thresholds > 1 else ())]
    on = [name.removeprefix("threshold/") for name in names if registry[f"{name}/mode"] == "enabled"]
    return tuple(name if name == "difference" else f"threshold_{name}" for name in on)


def _threshold_shares(registry: Registry, model: Model) -> tuple[float, ...]:
    """Energies of all thresholds by the photons' energy; one that is off may lie lower than the one before it."""
    energy_ev = registry.number("photon_energy")
    shares: list[float] = []
    for name in threshold_names(model):
        share = round(number(registry[f"{name}/energy"]) / energy_ev, 4)
        shares.append(max([share, *shares[-1:]]))
    return tuple(shares)


def _dead_share(model: Model, count_s: float) -> float:
    """The countrate correction ends at a dead share of one half: with the model's rate this gives the dead time.

    To four digits, so that exposures that hardly differ need no images of their own; and never more than a few counts
    need, because an exposure of nanoseconds shows nothing anyway.
    """
    return min(float(f"{0.5 / (model.saturation_hz * count_s):.4g}"), 0.1)
