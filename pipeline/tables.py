"""The pipeline's table from a TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from pipeline.config import PipelineTable
from pipeline.errors import SettingRejected


def read_table(path: Path) -> PipelineTable:
    """The [pipeline] table of a TOML file, or the whole file where it has none. Raises SettingRejected."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingRejected("the table", str(path), f"a readable TOML file ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingRejected("the table", str(path), f"TOML ({error})") from error
    try:
        return PipelineTable.model_validate(values.get("pipeline", values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the table"
        raise SettingRejected(
            f"{path}: {key}", first.get("input"), first["msg"].removeprefix("Value error, ")
        ) from error
