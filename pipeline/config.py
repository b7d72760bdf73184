"""The pipeline's table of the bench file."""

from __future__ import annotations

import re
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
    """[pipeline.conditions]: operating conditions that are recorded where `record` is given no others."""

    sensor_bias_voltage_v: float = 300.0
    acquisition_rate_mhz: float = 1.1
    gain_setting: int = 0
    gain_mode: int = 0
    """0 adaptive, 1 fixed high, 2 fixed medium, 3 fixed low."""
    integration_time: int = 12


class SplitterTable(_Table):
    """[pipeline.splitter]: which frames and which trains go on."""

    pulse_filter: str = ""
    """Frames by their index in the train, `range(0,250,2)` or `0,2,4`; empty = all."""
    every_nth_train: int = Field(default=1, ge=1)


class CorrectionTable(_Table):
    """[pipeline.correction]: the steps, applied in their fixed order."""

    steps: tuple[Literal["thresholding", "offset", "relative_gain", "photon_gain", "mask"], ...] = (
        "thresholding",
        "offset",
        "relative_gain",
        "photon_gain",
        "mask",
    )
    threads: int = Field(default=2, ge=1, le=64)

    @field_validator("steps", mode="before")
    @classmethod
    def _list_as_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("steps")
    @classmethod
    def _once_each(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("steps names a step twice; name each once")
        return value


class MatcherTable(_Table):
    """[pipeline.matcher]: when a train counts as complete."""

    min_modules: int = Field(default=1, ge=1)
    deadline_s: float = Field(default=2.0, gt=0)


class AppenderTable(_Table):
    """[pipeline.appender]: corrected files."""

    sequence_trains: int = Field(default=256, ge=1, le=100_000)


class BridgeTable(_Table):
    """[pipeline.bridge]: corrected and raw trains for live viewers."""

    mode: Literal["REP", "PUB", "PUSH"] = "REP"
    corrected_port: Port = 0
    raw_port: Port = 0
    every_nth_train: int = Field(default=1, ge=1)
    axes: Literal["file", "online"] = "file"
    """file: (pulse, module, slow, fast). online: (module, fast, slow, pulse), as older pipelines served it."""


class PipelineTable(_Table):
    """[pipeline]: one detector's data acquisition and online correction."""

    detector: str = "SPB_DET_AGIPD1M-1"
    type: Literal["AGIPD"] = "AGIPD"
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
    splitter: SplitterTable = SplitterTable()
    correction: CorrectionTable = CorrectionTable()
    matcher: MatcherTable = MatcherTable()
    appender: AppenderTable = AppenderTable()
    bridge: BridgeTable = BridgeTable()

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
        if self.matcher.min_modules > len(self.modules):
            raise ValueError(
                f"matcher.min_modules is {self.matcher.min_modules}, but there are {len(self.modules)} modules"
            )
        if self.daq.first_port and self.daq.first_port + len(self.modules) > 65536:
            raise ValueError("daq.first_port leaves no room for all modules below port 65536")
        return self
