"""The truth file holds what docs/xtdf.md lists, for each detector."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import pytest

from sim.xtdf.build import make_module
from sim.xtdf.config import AgipdTable, AnyTable, DsscTable, LpdTable
from sim.xtdf.truth_file import write_truth

DOCS = Path(__file__).parents[2] / "docs/xtdf.md"


def documented(kind: str) -> set[str]:
    """Names in the first column of a detector's table."""
    section = DOCS.read_text(encoding="utf-8").split("## Truth file")[1].split("\n## ")[0]
    table = re.split(rf"^{kind}[:;][^\n]*\n", section, flags=re.MULTILINE)[1].strip().split("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines()[2:]]
    return {name.strip() for row in rows for name in row.split(",")}


@pytest.mark.parametrize(
    ("table", "image"),
    [
        (AgipdTable(modules=1, memory_cells=2), (512, 128)),
        (LpdTable(modules=1, memory_cells=2), (256, 256)),
        (DsscTable(modules=1, memory_cells=2), (128, 512)),
    ],
    ids=["AGIPD", "LPD", "DSSC"],
)
def test_the_truth_file_is_as_documented(tmp_path: Path, table: AnyTable, image: tuple[int, int]) -> None:
    write_truth(tmp_path / "truth.h5", table, 1, [make_module(table, 1, 0)])
    with h5py.File(tmp_path / "truth.h5", "r") as file:
        found: dict[str, h5py.Dataset] = {}
        file["00"].visititems(
            lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None
        )
        assert set(found) == documented(table.type)
        assert found["offset"].shape[0] == 2
        for name, item in found.items():
            assert item.ndim < 2 or item.shape[-2:] == image, name
            assert "unit" in item.attrs, name
