"""`[sim.devices.NAME]` with `kind = "dcu"`: the table of one DECTRIS control unit."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.dectris.images.tables import FramesTable, SyntheticTable
from sim.dectris.unit.pulses import Rhythm
from sim.kernel import NS_PER_S

MAX_JITTERED_HZ = 20_000.0
"""Pulses that jitter are events of their own; a regular train is not."""


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class GeneratorTable(_Table):
    """`triggers = { source = "generator", … }`: pulses that follow each arm in a fixed rhythm."""

    source: Literal["generator"] = "generator"
    delay_s: Annotated[float, Field(ge=0, le=3600)] = 0.1
    """From arm to the first pulse."""
    rate_hz: Annotated[float, Field(ge=0, le=1e7)] = 0.0
    """Pulses a second, or bursts; 0: as fast as the unit takes them with its frame_time."""
    jitter_s: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Each pulse comes at most so much early or late, drawn from the seed."""
    count: Annotated[int, Field(ge=0, le=1 << 40)] = 0
    """Pulses after each arm, or bursts; 0: without end."""
    burst: Annotated[int, Field(ge=1, le=1 << 40)] = 1
    """Pulses of a burst."""
    burst_rate_hz: Annotated[float, Field(gt=0, le=1e7)] = 1000.0
    width_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """How long a pulse lasts: the exposure in mode exte, a gate in extg; 0: as long as count_time."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        burst_s = (self.burst - 1) / self.burst_rate_hz
        if self.rate_hz and burst_s * self.rate_hz >= 1:
            raise ValueError("a burst must be over before the next begins: lower burst or rate_hz")
        if self.jitter_s:
            fastest = max(self.rate_hz, self.burst_rate_hz if self.burst > 1 else 0.0)
            if not 0 < fastest <= MAX_JITTERED_HZ:
                raise ValueError(f"pulses with jitter_s need a rate_hz up to {MAX_JITTERED_HZ:.0f}")
            if self.jitter_s * fastest >= 0.5:
                raise ValueError("jitter_s must be less than half the time between two pulses")
        return self

    def rhythm(self) -> Rhythm:
        """The same in ns."""
        return Rhythm(
            delay_ns=round(self.delay_s * NS_PER_S),
            period_ns=round(NS_PER_S / self.rate_hz) if self.rate_hz else 0,
            jitter_ns=round(self.jitter_s * NS_PER_S),
            bursts=self.count,
            burst=self.burst,
            burst_period_ns=round(NS_PER_S / self.burst_rate_hz),
            width_ns=round(self.width_s * NS_PER_S),
        )


class ExternalTable(_Table):
    """`triggers = { source = "external" }`: pulses come from others, by the address NAME.trigger or by REST."""

    source: Literal["external"]


TriggersTable: TypeAlias = Annotated[GeneratorTable | ExternalTable, Field(discriminator="source")]
Port: TypeAlias = Annotated[int, Field(ge=0, le=65535)]


class DcuTable(_Table):
    """`[sim.devices.NAME]` with `kind = "dcu"`: one DECTRIS control unit."""

    model: str = ""
    """A row of `sim/dectris/models.py`, e.g. QUADRO. Not with synthetic frames, whose detector has any size."""
    frames: FramesTable = SyntheticTable()
    description: str = ""
    """Empty: the model's."""
    serial: str = ""
    """Empty: the model's."""
    boot: Literal["idle", "na"] = "idle"
    """na: as hardware, nothing works before `initialize`. idle: initialized at start."""
    policy: Literal["block", "drop"] = "block"
    """When the queue is full: block holds the acquisition, drop loses images as hardware does."""
    queue: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Messages that wait for receivers."""
    api_port: Port = 0
    stream_port: Port = 0
    """Stream 1 (legacy)."""
    stream2_port: Port = 0
    """Stream 2 (cbor)."""
    trigger_port: Port = 0
    stream_mode: Literal["enabled", "disabled"] = "enabled"
    """Stream mode at start; the vendor's default is disabled."""
    stream_format: Literal["legacy", "cbor"] = "legacy"
    """Stream format at start."""
    initialize_s: Annotated[float, Field(ge=0, le=600)] = 0.0
    arm_s: Annotated[float, Field(ge=0, le=600)] = 0.0
    triggers: TriggersTable = GeneratorTable()
    """Electrical triggers, for the modes exts, exte, extg and eies."""
    file_buffer_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 40)] = 2 << 30
    """Finished files of the file writer that it keeps; no more images are written when they fill it."""
    config: dict[str, bool | int | float | str] = {}
    """Defaults of detector keys, e.g. `photon_energy = 12400.0`; they stand in the start message."""

    @model_validator(mode="after")
    def _one_detector(self) -> Self:
        if self.model and isinstance(self.frames, SyntheticTable):
            raise ValueError(
                'synthetic frames have a detector of their own size; with a model write frames = { source = "scene" }'
            )
        return self
