"""A bench for one test: exactly the simulators whose fixtures the test asks for."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

TABLES: Final[Mapping[str, str]] = {
    "agipd_module": """
[sim.devices.agipd]
kind = "agipd"
modules = 1
memory_cells = 4
first_train_id = 1_500_000_000
inject_constants = false
""",
    "dcu": """
[sim.devices.dcu]
kind = "dcu"
""",
    "caldb": """
[sim.devices.caldb]
kind = "caldb"
detectors = [{ identifier = "SPB_DET_AGIPD1M-1", type = "AGIPD-Type", modules = 1 }]
""",
    "lab": """
[sim.devices.lab]
kind = "lab"
""",
    "slack": """
[sim.devices.slack]
kind = "slack"
""",
}
"""Table of the bench file for each simulator fixture."""

LAB_MODULES: Final = 2
"""Few, so that the laboratory starts fast."""

HEAD: Final = """
[bench]
name = "test"
seed = 1
data_dir = "unused"

[sim.clock]
mode = "{mode}"
epoch = 2026-01-01T00:00:00Z
"""

RECEIVER: Final = """
[sim.devices.daq]
kind = "a test's own receiver"
address = {{ 0 = "udp://127.0.0.1:{port}" }}
"""


def write_bench_file(
    folder: Path,
    fixtures: Iterable[str],
    *,
    mode: str,
    receiver_port: int | None,
    extra: str = "",
    caldb_database: str = "",
    dcu_table: str = "",
    lab_table: str = "",
) -> Path:
    """Write the bench file for a set of fixtures; returns its path.

    caldb_database  URL of the database that the catalogue uses; empty: a file of its own
    dcu_table       lines for the control unit's table
    lab_table       lines for the laboratory's table
    """
    text = HEAD.format(mode=mode)
    if receiver_port is not None:
        text += RECEIVER.format(port=receiver_port)
    for name in fixtures:
        text += TABLES.get(name, "")
        if name == "caldb" and caldb_database:
            text += f"database = {json.dumps(caldb_database)}\n"
        if name == "dcu":
            text += f"{dcu_table}\n"
        if name == "lab":
            few = "" if "modules" in tomllib.loads(lab_table) else f"modules = {{ count = {LAB_MODULES} }}\n"
            text += f"{few}{lab_table}\n"
    text += extra
    path = folder / "bench.toml"
    path.write_text(text, encoding="utf-8")
    return path
