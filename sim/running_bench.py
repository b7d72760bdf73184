"""A bench that is up, as its owner finds it: by the file that it leaves in its data folder (docs/architecture.md)."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from sim.errors import SimError

TIMEOUT_S = 10.0


class BenchNotFound(SimError):
    """No bench is up that could be asked."""

    exit_code = 2

    def __init__(self, where: object, reason: str) -> None:
        super().__init__(f"{where}: {reason}; start it with `stellwerk up BENCH.toml`")


@dataclass(frozen=True, slots=True)
class RunningBench:
    """Where a bench's control API is, and what changes need."""

    control: str
    token: str
    endpoints: dict[str, Any]
    kinds: dict[str, str]
    """Kinds of the bench file's devices, by name."""

    @classmethod
    def of(cls, bench_file: Path) -> RunningBench:
        """The bench of a bench file. Raises BenchNotFound."""
        try:
            file = tomllib.loads(bench_file.read_text(encoding="utf-8"))
            table, devices = file["bench"], file.get("sim", {}).get("devices", {})
            kinds = {name: str(device.get("kind")) for name, device in devices.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BenchNotFound(bench_file, f"is no readable bench file ({error})") from None
        folder = Path(str(table.get("data_dir") or f"runs/{table.get('name', '')}"))
        try:
            state = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
            return cls(state["endpoints"]["control"], state["token"], state["endpoints"], kinds)
        except (OSError, ValueError, KeyError, TypeError):
            raise BenchNotFound(folder, "holds no bench that is up") from None

    def status(self) -> dict[str, Any]:
        """What the bench says of itself. Raises SimError."""
        return self._ask("GET", f"{self.control}/status")

    def switch_fault(self, body: dict[str, Any]) -> dict[str, Any]:
        """Switch a fault. Raises SimError with the bench's sentence."""
        return self._ask("POST", f"{self.control}/faults", body)

    def detector(self, name: str) -> dict[str, Any]:
        """What a device's control address says. Raises SimError."""
        address = self.endpoints.get(f"{name}.control")
        if not isinstance(address, str):
            raise SimError(f"this bench has no detector {name!r}")
        return self._ask("GET", f"{address}/")

    def laboratories(self) -> list[str]:
        """Names of the laboratories that this bench simulates."""
        return [
            name for name, kind in self.kinds.items() if kind == "lab" and f"{name}.page" in self.endpoints
        ]

    def laboratory(self, name: str) -> dict[str, Any]:
        """What a laboratory's page says (docs/lab.md, State). Raises SimError."""
        return self._ask("GET", f"{self.endpoints[f'{name}.page']}/state")

    def _ask(self, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self.token}"}
        try:
            answer = httpx.request(
                method,
                url,
                json=body,
                headers=headers,
                timeout=TIMEOUT_S,
                trust_env=False,
                verify=not url.startswith("http:"),  # certificates take a twentieth of a second to load
            )
            found: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SimError(f"the bench does not answer at {url} ({error}); is it still up?") from None
        if answer.is_error:
            raise SimError(str(found.get("error", answer.text)))
        return found
