"""The page and the JSON of a soak."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from fat.files import write_bytes_atomically
from fat.soak import figures
from fat.soak.run import Soak
from fat.soak.verdict import Verdict, growth_of, longest_silence_s


def summary(soak: Soak, verdict: Verdict, about: dict[str, Any]) -> dict[str, Any]:
    """Everything that was found, JSON-able."""
    samples, ledger = soak.samples, soak.ledger
    steady = [s for s in samples if s.sending] or list(samples)
    growth = growth_of(samples)
    return {
        **about,
        "verdict": "PASS" if verdict.passed else "FAIL",
        "sentences": verdict.sentences,
        "module_trains": {
            "sent": ledger.acquisition.entered,
            "received": ledger.acquisition.left,
            "came_out": ledger.correction.left,
            "lost": ledger.lost,
            "unexplained": ledger.unexplained,
            "counted_twice": ledger.acquisition.surplus + ledger.correction.surplus,
        },
        "losses": {**ledger.acquisition.reasons, **ledger.correction.reasons},
        "trains_per_s": _median([s.trains_per_s for s in steady]),
        "latency_p50_ms": _median([s.p50_ms for s in steady]),
        "latency_p99_ms": max((s.p99_ms for s in steady), default=0.0),
        "longest_silence_s": round(longest_silence_s(samples), 1) if samples else 0.0,
        "memory_mb": samples[-1].memory_mb if samples else {},
        "growth_mb_per_hour": None if growth is None else asdict(growth),
        "handles": [samples[0].handles, samples[-1].handles] if samples else [],
        "threads": [samples[0].threads, samples[-1].threads] if samples else [],
        "most_waiting": max((s.waiting for s in samples), default=0),
        "script": [asdict(strike) for strike in soak.script],
    }


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0


def write(folder: Path, found: dict[str, Any], soak: Soak) -> Path:
    """Write `soak.json` and `soak.html` into *folder*; the page."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {**found, "segments": soak.segments, "samples": [asdict(sample) for sample in soak.samples]}
    write_bytes_atomically(folder / "soak.json", json.dumps(whole, indent=1).encode())
    pages = Environment(
        loader=PackageLoader("fat.soak"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pictures = [
        _data_url(figures.over_time(soak.samples, soak.script)),
        _data_url(figures.losses(soak.ledger)),
    ]
    text = pages.get_template("soak.html").render(found=found, pictures=pictures)
    path = folder / "soak.html"
    write_bytes_atomically(path, text.encode())
    return path


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
