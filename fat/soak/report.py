"""The page and the JSON of a soak."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from fat.files import write_bytes_atomically
from fat.soak import figures
from fat.soak.ledger import Ledger
from fat.soak.script import Strike
from fat.soak.verdict import Sample, Verdict


def summary(
    samples: Sequence[Sample],
    ledger: Ledger,
    verdict: Verdict,
    script: Sequence[Strike],
    about: dict[str, Any],
) -> dict[str, Any]:
    """Everything that was found, JSON-able."""
    steady = [s for s in samples if s.sending] or list(samples)
    return {
        **about,
        "verdict": "PASS" if verdict.passed else "FAIL",
        "sentences": verdict.sentences,
        "module_trains": {
            "sent": ledger.sent,
            "received": ledger.received,
            "lost": ledger.lost,
            "unexplained": ledger.unexplained,
        },
        "losses": ledger.reasons,
        "trains_per_s": _median([s.trains_per_s for s in steady]),
        "latency_p50_ms": _median([s.p50_ms for s in steady]),
        "latency_p99_ms": max((s.p99_ms for s in steady), default=0.0),
        "memory_mb": samples[-1].memory_mb if samples else {},
        "handles": [samples[0].handles, samples[-1].handles] if samples else [],
        "script": [asdict(strike) for strike in script],
    }


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0


def write(
    folder: Path, found: dict[str, Any], samples: Sequence[Sample], ledger: Ledger, script: Sequence[Strike]
) -> Path:
    """Write `soak.json` and `soak.html` into *folder*; the page."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {**found, "samples": [asdict(sample) for sample in samples]}
    write_bytes_atomically(folder / "soak.json", json.dumps(whole, indent=1).encode())
    pages = Environment(
        loader=PackageLoader("fat.soak"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pictures = [_data_url(figures.over_time(samples, script)), _data_url(figures.losses(ledger))]
    text = pages.get_template("soak.html").render(found=found, pictures=pictures)
    path = folder / "soak.html"
    write_bytes_atomically(path, text.encode())
    return path


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
