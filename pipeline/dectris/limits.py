"""Which side of an acquisition limits, in words: the symptoms that LiberTEM-live's manual tells users to look for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.dectris.tune import Choice, Facts, Probe

BUSY: Final = 0.85
IDLE: Final = 0.5
AT_RATE: Final = 0.97
"""Share of the announced rate from which on images count as coming at it."""
SLOT_USED: Final = 0.25
REDUCTION_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What limits, and what to do."""

    side: str
    """detector, sender, receiver, workers, reduction or buffer."""
    sentences: tuple[str, ...]


def explain(facts: Facts, choice: Choice, probe: Probe) -> Verdict:
    """Say which side limits, and what could be changed."""
    side, sentences = _side(facts, choice, probe)
    sentences += _losses(probe)
    sentences += _sizes(choice, probe)
    return Verdict(side, tuple(sentences))


def _side(facts: Facts, choice: Choice, probe: Probe) -> tuple[str, list[str]]:
    """The slowest part, the data's way backwards: a slow worker fills the slots, full slots stop the receiver."""
    if probe.workers_busy >= BUSY:
        return _workers(facts, choice, probe)
    if probe.waits_for_slots:
        return "buffer", [
            f"the slots limit: the receiver found none free {_times(probe.waits_for_slots)}, though the workers were "
            f"busy only {probe.workers_busy:.0%} of the time; a larger num_slots bridges such pauses"
        ]
    if probe.receiver_busy >= BUSY:
        return "receiver", [
            f"the receiver limits: it was busy {probe.receiver_busy:.0%} of the time while the workers waited; it is "
            "one thread, so only a faster core, or larger and fewer images, help; images must come over a link that "
            "does not share its core"
        ]
    if facts.rate is None:
        return "sender", [
            f"nothing here limits: receiver {probe.receiver_busy:.0%} and workers {probe.workers_busy:.0%} busy at "
            f"{probe.rate:,.0f} images/s; the images came as fast as they were triggered and sent"
        ]
    if probe.rate >= AT_RATE * facts.rate:
        return "detector", [
            f"the detector's own rate limits: {probe.rate:,.0f} images/s came of {facts.rate:,.0f} announced; "
            f"{_headroom(probe)}"
        ]
    return "sender", [
        f"the sender or the network limits: {probe.rate:,.0f} images/s came of {facts.rate:,.0f} announced, while the "
        f"receiver was busy {probe.receiver_busy:.0%} of the time and the workers {probe.workers_busy:.0%}"
    ]


def _workers(facts: Facts, choice: Choice, probe: Probe) -> tuple[str, list[str]]:
    if probe.reduce_us > REDUCTION_SHARE * probe.work_us:
        return "reduction", [
            f"the reduction limits: {probe.reduce_us:.1f} of {probe.work_us:.1f} µs for an image are spent in it; a "
            "cheaper reduction helps, more workers only where it leaves the interpreter's lock"
        ]
    more = facts.cores - choice.workers
    hashes = f", {probe.hash_us:.1f} of them for checking its hash" if probe.hash_us >= 0.1 else ""
    advice = (
        f"up to {facts.cores} workers fit this machine"
        if more > 0
        else f"all of the {facts.cores} cores are in use; another machine, or fewer reductions, would help"
    )
    return "workers", [
        f"the workers limit: {choice.workers} of them were busy {probe.workers_busy:.0%} of the time, "
        f"{probe.work_us:.1f} µs for an image{hashes}; {advice}"
    ]


def _headroom(probe: Probe) -> str:
    busiest = max(probe.receiver_busy, probe.workers_busy)
    if busiest <= 0:
        return "nothing here was busy"
    name = "the receiver" if probe.receiver_busy >= probe.workers_busy else "the workers"
    return f"{name} would carry {1 / busiest:.1f} times as many"


def _losses(probe: Probe) -> list[str]:
    if probe.dropped:
        return [f"the control unit dropped {probe.dropped} images, because they were not taken in time"]
    if probe.missing:
        return [
            f"{probe.missing} images did not come, though the control unit does not say that it dropped them"
        ]
    return []


def _sizes(choice: Choice, probe: Probe) -> list[str]:
    said = []
    foreseen = (
        f"images have {probe.mean_bytes:,.0f} bytes in the mean, {choice.bytes_per_frame:,} are foreseen"
    )
    if probe.mean_bytes > choice.bytes_per_frame and probe.images_per_slot < 0.8 * choice.frame_stack_size:
        said.append(
            f"bytes_per_frame is too small: {foreseen}, so a slot is full after {probe.images_per_slot:.0f} of "
            f"{choice.frame_stack_size} images"
        )
    elif probe.mean_bytes and probe.mean_bytes < SLOT_USED * choice.bytes_per_frame:
        said.append(f"bytes_per_frame is too large: {foreseen}; most of the buffer is never used")
    if probe.images_per_slot < 2 and probe.images > 1000 and choice.frame_stack_size > 1:
        said.append(
            "a slot is handed over with hardly more than one image; a larger frame_stack_size would cost less"
        )
    return said


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
