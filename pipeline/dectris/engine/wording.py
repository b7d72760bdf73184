"""A report in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pipeline.dectris.values import FrameRange, SeriesReport

MAX_RANGES: Final = 8


def ranges(gaps: tuple[FrameRange, ...]) -> str:
    """Such as `frames 120-131, 140 and 2 more ranges`; the first ones by number."""
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in gaps[:MAX_RANGES]]
    if len(gaps) > MAX_RANGES:
        texts.append(f"{len(gaps) - MAX_RANGES} more ranges")
    one = len(gaps) == 1 and gaps[0][0] == gaps[0][1]
    listed = texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
    return f"frame {listed}" if one else f"frames {listed}"


def sentences(report: SeriesReport) -> tuple[str, ...]:
    """What there is to say about a series."""
    who = f"series {report.series}"
    said = [
        f"{who}: all {report.expected} frames came"
        if report.complete
        else f"{who}: {report.frames} of {report.expected} frames are in the results"
    ]
    if report.gaps:
        said.append(f"{who}: {ranges(report.gaps)} did not come")
    if report.corrupt:
        listed = ", ".join(str(frame) for frame in report.corrupt_frames[:MAX_RANGES])
        more = " and more" if report.corrupt > MAX_RANGES else ""
        said.append(f"{who}: {_images(report.corrupt)} came damaged and left out: frame {listed}{more}")
    if report.truncated:
        said.append(f"{who}: {_images(report.truncated)} had another size than told and left out")
    counted = (
        (report.duplicates, "came again; the first counted"),
        (report.reordered, "came after a later one"),
        (report.unexpected, "had a number beyond the series"),
    )
    said += [f"{who}: {_images(count)} {what}" for count, what in counted if count]
    if report.broken:
        said.append(f"{who}: {_messages(report.broken)} did not follow the protocol or fit the series")
    if report.wrong_series:
        said.append(f"{who}: {_messages(report.wrong_series)} of a later series came meanwhile")
    if report.stale:
        said.append(f"{who}: {_messages(report.stale)} of earlier series were passed over")
    if report.stopped:
        said.append(f"{who}: stopped before its end")
    elif not report.ended:
        said.append(f"{who}: no end came, and nothing more for {report.silence_s:.1f} s")
    if report.hashes_unchecked:
        total = report.hashes_checked + report.hashes_unchecked
        said.append(
            f"{who}: the hashes of {report.hashes_unchecked} of {total} images were not checked; "
            "their rate left no time for it"
        )
    return tuple(said)


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
