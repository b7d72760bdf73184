"""The bench files that come with the distribution."""

from __future__ import annotations

import sys
from pathlib import Path

from fat.errors import UsageError


def configs_folder() -> Path:
    """The folder `configs`: of the checkout that this code runs from, or as it was installed."""
    checkout = Path(__file__).parent.parent / "configs"
    return checkout if checkout.is_dir() else Path(sys.prefix) / "share" / "stellwerk" / "configs"


def shipped_bench(name: str) -> Path:
    """The path of a bench file by name. Raises UsageError with the names that there are."""
    path = configs_folder() / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in configs_folder().glob("*.toml"))) or "none"
        raise UsageError(f"there is no bench file {name!r} in {configs_folder()}; there are: {known}")
    return path
