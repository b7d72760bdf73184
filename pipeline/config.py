"""The pipeline's table of the bench file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MAX_CELLS: Final = {"AGIPD": 352, "LPD": 512, "DSSC": 800}

Port = Annotated[int, Field(ge=0, le=65535)]
PolicyName = Literal["block", "drop_oldest", "drop_newest"]


class _Table(BaseModel):
    """Strict: no conversions, no keys but those named here."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DaqTable(_Table):
    """[pipeline.daq]: receive, assemble, record."""

    first_port: Port = 0
    """Port of the first module, the next ones follow; 0 = any free ports."""
    receive_buffer_bytes: int = Field(default=32 << 20, ge=1 << 16)
    """Wanted size of the kernel's buffer of each module; without the privilege the system's limit holds."""
    slots_per_module: int = Field(default=12, ge=4, le=1024)
    frame_timeout_s: float = Field(default=1.0, gt=0)
    """Age at which a frame whose datagrams do not come any more is closed."""
    train_stride: int = Field(default=1, ge=1)
    """Distance of the train ids that the modules send."""
    sequence_trains: int = Field(default=256, ge=1, le=100_000)
    """Trains in one sequence file."""
    train_deadline_s: float = Field(default=2.0, gt=0)
    """How long a train waits for its last modules before it is recorded without them."""
    record_queue_depth: int = Field(default=64, ge=1, le=100_000)
    """Module trains between receiver and writer."""
    record_policy: PolicyName = "block"
    online_queue_depth: int = Field(default=32, ge=1, le=100_000)
    """Module trains between receiver and correction."""
    online_policy: PolicyName = "block"


class ConditionsTable(_Table):
    """[pipeline.conditions]: operating conditions that are used where nobody tells others.

    What is not given has the usual value of the detector (pipeline.constants.conditions).
    """

    sensor_bias_voltage_v: float | None = None
    acquisition_rate_mhz: float | None = None
    gain_setting: int | None = None
    """AGIPD."""
    gain_mode: int | None = None
    """AGIPD: 0 adaptive, 1 fixed high, 2 fixed medium, 3 fixed low."""
    integration_time: int | None = None
    """AGIPD."""
    feedback_capacitor_pf: float | None = None
    """LPD."""
    memory_cell_order: str | None = None
    """LPD: numbers with a comma after each, `8,24,40,`."""
    parallel_gain: bool | None = None
    """LPD: whether each pulse has a frame of every gain stage."""
    target_gain: int | None = None
    """DSSC."""
    encoded_gain: int | None = None
    """DSSC."""

    @property
    def given(self) -> dict[str, float | int | bool | str]:
        """What the table names, by name."""
        return self.model_dump(exclude_none=True)


class ConstantsTable(_Table):
    """[pipeline.constants]: which versions of constants are used, and what is kept for a silent catalogue."""

    source: Literal["rest", "remotes"] = "rest"
    """Who is asked: the catalogue over REST, files read from the store; or one of the remotes at random."""
    remotes_deadline_s: float = Field(default=300.0, gt=0)
    """How long remotes are tried before the catalogue itself is asked; the facility's `cal-db-timeout`."""
    selection: Literal["prior", "closest", "exact"] = "prior"
    """prior: the latest that begins at or before the event. closest: also from the future. exact: begins at it."""
    cache: bool = True
    """Keep answers and files on this machine."""
    cache_folder: str = ""
    """Where; empty: `constants-cache` in the data folder."""
    cache_gb: float = Field(default=40.0, gt=0)
    """What is not used for longest is removed beyond this; a megapixel AGIPD with 352 cells takes 22."""
    cache_max_age_h: float = Field(default=168.0, gt=0)
    """Age at which a kept answer is not used any more."""
    give_up_after_s: float = Field(default=20.0, ge=0)
    """How long a silent catalogue is asked again before what is kept is used."""


class SplitterTable(_Table):
    """[pipeline.splitter]: which frames and which trains go on."""

    pulse_filter: str = ""
    """Frames by their index in the train, `range(0,250,2)` or `0,2,4`; empty = all."""
    every_nth_train: int = Field(default=1, ge=1)
    raw_pulse_filter: str = ""
    """The same for the raw output."""
    raw_every_nth_train: int = Field(default=10, ge=1)


STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "AGIPD": (
        "thresholding",
        "force_medium",
        "force_high",
        "offset",
        "medium_baseline",
        "relative_gain",
        "baseline",
        "common_mode",
        "photon_gain",
        "mask",
        "round_photons",
        "zero_out_of_range",
        "zero_nans",
    ),
    "LPD": ("offset", "relative_gain", "amplifier_map", "photon_gain", "mask"),
    "DSSC": ("offset", "mask"),
}
"""The steps that each detector's correction knows, in the order in which they are taken."""

OPTIONAL_STEPS: Final = frozenset(
    {
        *("force_medium", "force_high", "medium_baseline", "baseline", "common_mode"),
        *("round_photons", "zero_out_of_range", "zero_nans"),
    }
)
"""Taken only where they are named."""


class CorrectionTable(_Table):
    """[pipeline.correction]: the steps, applied in their fixed order, and their numbers."""

    steps: tuple[str, ...] = ()
    """Names from STEPS of the detector's type; empty = all but the optional ones."""
    threads: int = Field(default=2, ge=1, le=64)
    force_medium_below_adu: float = 1000.0
    """AGIPD: a pixel in low gain whose signal over the medium-gain offset is below this was in medium gain."""
    force_high_below_adu: float = 1000.0
    """AGIPD: the same for high gain and the high-gain offset."""
    baseline_range_adu: int = Field(default=200, ge=2, le=4096)
    """AGIPD: the noise peak of an ASIC is looked for within ± this, high-gain equivalent."""
    baseline_least_pixels: int = Field(default=312, ge=1, le=4096)
    """AGIPD: least pixels in the peak for an ASIC to be shifted; 5000 for a module in the public configuration."""
    rounding_threshold: float = Field(default=0.5, gt=0, lt=1)
    """AGIPD: a fraction of a photon from which on it counts as one."""
    common_mode_range_adu: tuple[float, float] = (-30.0, 30.0)
    """AGIPD: pixels of an ASIC within this range, high-gain equivalent, are taken as dark."""
    common_mode_fraction: float = Field(default=0.15, gt=0, le=1)
    """AGIPD: least share of dark pixels of an ASIC for which its mean is subtracted."""
    common_mode_iterations: int = Field(default=4, ge=1, le=20)
    combine_parallel_gain: bool = True
    """LPD with parallel gain: one frame for each pulse instead of three."""
    parallel_high_limit_adu: float = 3500.0
    """LPD with parallel gain: raw signal above which the medium-gain frame is taken."""
    parallel_medium_limit_adu: float = 3500.0
    """LPD with parallel gain: raw signal above which the low-gain frame is taken."""
    eight_bit: bool = False
    """DSSC: the detector sends 8-bit values, in which 256 arrives as 0."""
    overload: Literal["block", "shed"] = "block"
    """block: nothing is lost, the receivers wait. shed: whole trains are refused while too much is in work."""
    high_water_trains: int = Field(default=6, ge=1, le=1000)
    """Trains in work at which refusing begins."""
    low_water_trains: int = Field(default=2, ge=0, le=1000)
    """Trains in work at which it ends."""

    @field_validator("steps", "common_mode_range_adu", mode="before")
    @classmethod
    def _list_as_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("steps")
    @classmethod
    def _once_each(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("steps names a step twice; name each once")
        return value

    @model_validator(mode="after")
    def _water_marks(self) -> CorrectionTable:
        if self.low_water_trains >= self.high_water_trains:
            raise ValueError("low_water_trains must be less than high_water_trains")
        return self

    def check_steps(self, detector: str) -> None:
        """Raises ValueError where a step is none of this type of detector."""
        known = STEPS[detector]
        if unknown := sorted(set(self.steps) - set(known)):
            raise ValueError(
                f"correction.steps: {detector} has no step {unknown[0]!r}; it has {', '.join(known)}"
            )

    def steps_of(self, detector: str) -> tuple[str, ...]:
        """The steps that are taken for a type of detector, in their order."""
        known = STEPS[detector]
        if not self.steps:
            return tuple(step for step in known if step not in OPTIONAL_STEPS)
        return tuple(step for step in known if step in self.steps)


class MatcherTable(_Table):
    """[pipeline.matcher]: when a train counts as complete."""

    min_modules: int = Field(default=1, ge=1)
    mandatory_modules: tuple[int, ...] = ()
    """Modules without which no train goes on."""
    deadline_s: float = Field(default=2.0, gt=0)

    @field_validator("mandatory_modules", mode="before")
    @classmethod
    def _list_as_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


class AppenderTable(_Table):
    """[pipeline.appender]: corrected files."""

    sequence_trains: int = Field(default=256, ge=1, le=100_000)


class BridgeTable(_Table):
    """[pipeline.bridge]: corrected and raw trains for live viewers."""

    mode: Literal["REP", "PUB", "PUSH"] = "REP"
    corrected_port: Port = 0
    raw_port: Port = 0
    preview_port: Port = 0
    every_nth_train: int = Field(default=1, ge=1)
    protocol: Literal["2.2", "1.0"] = "2.2"
    keys: tuple[str, ...] = ()
    """Keys of the corrected and raw sources that are sent, e.g. `["image.data"]`; empty = all."""
    raw_module: int | None = Field(default=None, ge=0, le=15)
    """Send the raw data of this module alone, as soon as they come; not given: of the first module."""
    raw_combined: bool = False
    """Send the raw data of all modules instead, combined by train id, as the splitter's raw output lets them pass."""
    raw_layout: Literal["file", "live"] = "file"
    """AGIPD raw data: one array of signal and gain level, as in files; or image.data and image.gain, as live."""
    axes: Literal["file", "online"] = "file"
    """Of combined trains. file: (pulse, module, slow, fast). online: (module, fast, slow, pulse), as older pipelines
    served it."""

    @field_validator("keys", mode="before")
    @classmethod
    def _list_as_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


class PreviewTable(_Table):
    """[pipeline.preview]: assembled pictures of whole trains."""

    enabled: bool = True
    every_nth_train: int = Field(default=10, ge=1)
    frame: Literal["mean", "max"] | Annotated[int, Field(ge=0)] = "mean"
    """Which frame is shown, or how the frames are projected."""
    geometry_file: str = ""
    """CrystFEL geometry; empty = the idealised one of EXtra-geom."""


class ControlSourcesTable(_Table):
    """[pipeline.control_sources]: slow and small data that are recorded beside the detector's."""

    endpoint: str = "sources.bridge"
    """Key of the endpoints, or an address tcp://host:port; nothing is read where the bench has no such key."""
    mode: Literal["SUB", "REQ", "PULL"] = "SUB"


class FeedTable(_Table):
    """[pipeline.feed]: module trains from a bridge instead of datagrams."""

    address: str = ""
    """tcp://host:port; empty: trains come as datagrams."""
    mode: Literal["REQ", "SUB", "PULL"] = "REQ"


class PipelineTable(_Table):
    """[pipeline]: one detector's data acquisition and online correction."""

    detector: str = "SPB_DET_AGIPD1M-1"
    type: Literal["AGIPD", "LPD", "DSSC"] = "AGIPD"
    modules: tuple[int, ...] = tuple(range(16))
    """Module (channel) numbers, or in the file also their count."""
    memory_cells: int = Field(default=4, ge=1)
    instrument: str = "SPB"
    cycle: str = "202601"
    proposal: int = Field(default=900001, ge=1, le=999_999)
    control_prefix: str = "SPB_IRU_AGIPD1M1"
    """First part of the names of the detector's control devices in files."""
    control_port: Port = 0
    daq: DaqTable = DaqTable()
    conditions: ConditionsTable = ConditionsTable()
    constants: ConstantsTable = ConstantsTable()
    splitter: SplitterTable = SplitterTable()
    correction: CorrectionTable = CorrectionTable()
    matcher: MatcherTable = MatcherTable()
    appender: AppenderTable = AppenderTable()
    bridge: BridgeTable = BridgeTable()
    preview: PreviewTable = PreviewTable()
    control_sources: ControlSourcesTable = ControlSourcesTable()
    feed: FeedTable = FeedTable()

    @field_validator("modules", mode="before")
    @classmethod
    def _count_or_list(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            return tuple(range(value))
        return tuple(value) if isinstance(value, list) else value

    @field_validator("modules")
    @classmethod
    def _sixteen_different(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or len(set(value)) != len(value) or not all(0 <= module < 16 for module in value):
            raise ValueError("modules must be different numbers from 0 to 15, or their count from 1 to 16")
        return tuple(sorted(value))

    @field_validator("cycle")
    @classmethod
    def _six_digits(cls, value: str) -> str:
        if not re.fullmatch(r"[0-9]{6}", value):
            raise ValueError('cycle must be six digits, year and half, e.g. "202601"')
        return value

    @field_validator("detector", "instrument", "control_prefix")
    @classmethod
    def _name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Z0-9][A-Z0-9_-]*", value):
            raise ValueError("a name has only capital letters, digits, _ and -, e.g. SPB_DET_AGIPD1M-1")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> PipelineTable:
        if self.memory_cells > MAX_CELLS[self.type]:
            raise ValueError(
                f"memory_cells cannot be {self.memory_cells}; {self.type} has {MAX_CELLS[self.type]}"
            )
        self.correction.check_steps(self.type)
        if self.matcher.min_modules > len(self.modules):
            raise ValueError(
                f"matcher.min_modules is {self.matcher.min_modules}, but there are {len(self.modules)} modules"
            )
        if self.daq.first_port and self.daq.first_port + len(self.modules) > 65536:
            raise ValueError("daq.first_port leaves no room for all modules below port 65536")
        return self
