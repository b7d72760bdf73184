"""Where a control unit is: by the bench file of a bench that is up, or by addresses."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SettingRejected


@dataclass(frozen=True, slots=True)
class Addresses:
    """Of one control unit."""

    api: str
    stream: str
    """Of the legacy stream."""
    stream2: str | None = None
    """Of stream 2, where it has one."""

    def of_format(self, stream_format: str | None) -> str:
        """The stream's address for a format. Raises SettingRejected."""
        if stream_format != "cbor":
            return self.stream
        if self.stream2 is None:
            raise SettingRejected("the stream's format", "cbor", "legacy: this unit has no second stream")
        return self.stream2


def of_bench(bench_file: Path, device: str) -> Addresses:
    """The addresses of a device of a bench that is up. Raises SettingRejected.

    A bench that is up leaves bench.json with its endpoints in its data folder (docs/architecture.md, The bench).
    """
    try:
        table = tomllib.loads(bench_file.read_text(encoding="utf-8"))["bench"]
        folder = Path(str(table.get("data_dir") or f"runs/{table.get('name', '')}"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingRejected("the bench", str(bench_file), f"a readable bench file ({error})") from None
    try:
        found = json.loads((folder / "bench.json").read_text(encoding="utf-8"))["endpoints"]
        api, stream = found[f"{device}.api"], found[f"{device}.stream"]
        return Addresses(str(api), str(stream), found.get(f"{device}.stream2"))
    except (OSError, ValueError, TypeError):
        raise SettingRejected(
            "the bench", str(bench_file), f"up (`stellwerk up {bench_file}`); {folder} holds no bench.json"
        ) from None
    except KeyError:
        units = sorted(name.removesuffix(".stream") for name in found if name.endswith(".stream"))
        raise SettingRejected(
            "the device", device, f"one of: {', '.join(units) or 'none is there'}"
        ) from None
