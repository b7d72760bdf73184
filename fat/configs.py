"""The bench files that come with the distribution."""

from __future__ import annotations

from pathlib import Path

from fat.errors import UsageError


def configs_folder() -> Path:
    """The folder `configs`: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def shipped_bench(name: str) -> Path:
    """The path of a bench file by name. Raises UsageError with the names that there are."""
    path = configs_folder() / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in configs_folder().glob("*.toml"))) or "none"
        raise UsageError(f"there is no bench file {name!r} in {configs_folder()}; there are: {known}")
    return path
