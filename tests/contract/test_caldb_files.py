"""Files of a store: injected, found, disabled, exported, checked, populated; on both databases."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, update

from sim.caldb.asking import find_versions
from sim.caldb.checking import Report, check
from sim.caldb.config import DetectorTable
from sim.caldb.fields import Invalid, NotFound
from sim.caldb.files import ConstantFileBad, OutsideStore, content_hash, path_inside, write_constant
from sim.caldb.injection import disable, export, inject
from sim.caldb.opening import open_engine
from sim.caldb.populate.detectors import DETECTORS
from sim.caldb.populate.rows import populate_rows
from sim.caldb.populate.values import generate
from sim.caldb.populate.whole import Plan, populate
from sim.caldb.seeding import seed
from sim.caldb.tables import VERSIONS

DATASET = "/AGIPD_SIM_M100/Offset/0"
DIMS = ("fast_scan", "slow_scan", "cell", "gain")
CONDITIONS = {"Sensor Bias Voltage": 300.0, "Memory cells": 2.0, "Pixels X": 512.0, "Pixels Y": 128.0}
ASKED = {name: str(value) for name, value in CONDITIONS.items()}
BEGIN = "2026-01-01T00:00:00Z"
NOW_MS = 1_800_000_000_000
SMALL = tuple(d for d in DETECTORS if d.type_name in ("ePix100-Type", "pnCCD-Type"))


@pytest.fixture
def engine(caldb_database: str) -> Iterator[Engine]:
    opened = open_engine(caldb_database)
    with opened.begin() as db:
        seed(db, [DetectorTable(identifier="SPB_DET_AGIPD1M-1", modules=2)], 0)
    yield opened
    opened.dispose()


def constant_file(
    path: Path, value: float = 1.0, dataset: str = DATASET, cells: int = 2, **more: Any
) -> Path:
    data = np.full((128, 512, cells, 3), value, "f4")
    write_constant(path, dataset, data, DIMS, {**CONDITIONS, "begin_at": BEGIN, **more})
    return path


def found(engine: Engine) -> list[dict[str, Any]]:
    return find_versions(engine, "SPB_DET_AGIPD1M-1", ["Offset"], ASKED, "", "closest", NOW_MS)


def checked(engine: Engine, store: Path, **more: Any) -> Report:
    return check(engine, store, grace_s=0.0, **more)


def test_what_is_injected_is_found_and_a_repetition_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    source, store = constant_file(tmp_path / "a.h5"), tmp_path / "store"
    (first,) = inject(engine, store, source, NOW_MS)
    (again,) = inject(engine, store, source, NOW_MS)
    assert (first.new, again.new, first.row["id"]) == (True, False, again.row["id"])
    (version,) = found(engine)
    assert version["path_to_file"] == "xfel/cal/agipd-type/agipd_sim_m100/"
    path = store / version["path_to_file"] / version["file_name"]
    assert path.read_bytes() == source.read_bytes()
    assert checked(engine, store).clean
    path.write_bytes(path.read_bytes()[:-100])
    inject(engine, store, source, NOW_MS)
    assert checked(engine, store).clean, "the same file heals a damaged one"


def test_other_content_with_the_same_begin_is_refused_and_leaves_no_file(
    engine: Engine, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    inject(engine, store, constant_file(tmp_path / "a.h5"), NOW_MS)
    with pytest.raises(Invalid, match="already been taken"):
        inject(engine, store, constant_file(tmp_path / "b.h5", 2.0), NOW_MS)
    assert checked(engine, store).clean
    inject(engine, store, constant_file(tmp_path / "b.h5", 2.0), NOW_MS, begin_at="2026-02-01T00:00:00Z")
    assert found(engine)[0]["begin_at"].startswith("2026-02-01")


def test_a_file_may_carry_several_calibrations(engine: Engine, tmp_path: Path) -> None:
    source = constant_file(tmp_path / "a.h5")
    with h5py.File(source, "a") as file:
        file.copy(DATASET, file, name="/AGIPD_SIM_M100/Noise/0")
    done = inject(engine, tmp_path / "store", source, NOW_MS)
    assert {one.row["data_set_name"] for one in done} == {DATASET, "/AGIPD_SIM_M100/Noise/0"}
    assert len({one.row["file_name"] for one in done}) == 1
    assert checked(engine, tmp_path / "store").clean


def test_a_file_that_cannot_be_used_is_one_sentence_with_its_name(engine: Engine, tmp_path: Path) -> None:
    good = constant_file(tmp_path / "good.h5")
    (tmp_path / "cut.h5").write_bytes(good.read_bytes()[:5000])
    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["other"] = 1
    constant_file(tmp_path / "shape.h5", cells=3)
    constant_file(tmp_path / "unit.h5", dataset="/AGIPD_SIM_M999/Offset/0")
    constant_file(tmp_path / "calibration.h5", dataset="/AGIPD_SIM_M100/Onset/0")
    constant_file(tmp_path / "begin.h5", begin_at="yesterday")
    for name, words in {
        "cut": "truncated or damaged",
        "text": "truncated or damaged",
        "empty": "holds no constant",
        "absent": "is not there",
        "shape": "ask for axes of 2, 128, 512",
        "unit": "unit AGIPD_SIM_M999",
        "calibration": "calibration Onset",
        "begin": "is not a time",
    }.items():
        with pytest.raises(ConstantFileBad, match=words) as refused:
            inject(engine, tmp_path / "store", tmp_path / f"{name}.h5", NOW_MS)
        assert str(refused.value).startswith(str(tmp_path / f"{name}.h5 "))
        assert "\n" not in str(refused.value)
    assert checked(engine, tmp_path / "store").files == 0


def test_what_is_disabled_is_not_found_any_more(engine: Engine, tmp_path: Path) -> None:
    (one,) = inject(engine, tmp_path / "store", constant_file(tmp_path / "a.h5"), NOW_MS)
    disable(engine, [one.row["id"]], NOW_MS)
    assert found(engine) == []
    with pytest.raises(NotFound):
        disable(engine, [99], NOW_MS)


def test_what_is_exported_can_be_injected_elsewhere(engine: Engine, tmp_path: Path) -> None:
    store = tmp_path / "store"
    (one,) = inject(engine, store, constant_file(tmp_path / "a.h5"), NOW_MS)
    (path,) = export(engine, store, [one.row["id"]], tmp_path / "out")
    disable(engine, [one.row["id"]], NOW_MS)
    other = open_engine(tmp_path / "other" / "catalogue.sqlite")
    with other.begin() as db:
        seed(db, [DetectorTable(identifier="SPB_DET_AGIPD1M-1")], 0)
    (again,) = inject(other, tmp_path / "other", path, NOW_MS)
    assert again.row["begin_at"] == one.row["begin_at"]
    assert len(found(other)) == 1
    assert checked(other, tmp_path / "other").clean
    other.dispose()


def test_fsck_names_what_is_wrong(engine: Engine, tmp_path: Path) -> None:
    store = tmp_path / "store"
    paths = []
    for day in range(1, 7):
        begin = f"2026-01-{day:02d}T00:00:00Z"
        (one,) = inject(engine, store, constant_file(tmp_path / f"{day}.h5", day), NOW_MS, begin_at=begin)
        paths.append(store / one.row["path_to_file"] / one.row["file_name"])
    assert checked(engine, store).clean
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:-2000])
    with h5py.File(paths[2], "a") as file:
        file[f"{DATASET}/data"][0, 0, 0, 0] = 7
    with h5py.File(paths[3], "a") as file:
        file.move(f"{DATASET}/data", "/elsewhere")
    with h5py.File(paths[4], "a") as file:
        file[f"{DATASET}/data"].attrs["dims"] = "fast_scan"
    with engine.begin() as db:
        where = VERSIONS.c.file_name == paths[5].name
        db.execute(update(VERSIONS).where(where).values(path_to_file="../../etc/"))
    (store / "xfel" / "cal.1.0.h5").write_bytes(b"")
    (store / "xfel" / ".cal.1.0.h5.77.part").write_bytes(b"")
    (store / "notes.h5").write_bytes(b"")
    report = checked(engine, store, repair=True)
    said = sorted(str(finding) for finding in report.broken)
    words = ["is not there", "truncated or damaged", "SHA-256 differs", "holds no dataset", "attribute dims"]
    for path, word in zip(paths, words, strict=False):
        assert any(line.startswith(str(path)) and word in line for line in said), (word, said)
    assert any("no place inside the store" in line for line in said)
    assert len(said) == 6
    # The file of the row that was bent is needed by none now.
    assert {Path(name).name for name in report.removed} == {
        "cal.1.0.h5",
        ".cal.1.0.h5.77.part",
        paths[5].name,
    }
    assert (store / "notes.h5").exists(), "what looks like no constant is not ours"
    assert not report.clean
    assert "SHA-256" not in "".join(str(f) for f in checked(engine, store, content=False).broken)


def test_a_young_file_without_a_row_is_left_alone(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "store" / "cal.1.0.h5"
    path.parent.mkdir()
    path.write_bytes(b"")
    assert check(engine, path.parent, repair=True).orphans == []
    os.utime(path, (time.time() - 3600,) * 2)
    assert len(check(engine, path.parent, repair=True).removed) == 1


def test_populate_fills_adds_what_is_missing_and_is_the_same_again(engine: Engine, tmp_path: Path) -> None:
    store = tmp_path / "store"
    done = populate(engine, store, Plan(SMALL, history=3))
    assert (done.versions, done.files) == (27, 9), "the history shares files"
    assert checked(engine, store).clean
    files = {path: path.read_bytes() for path in store.rglob("*.h5")}
    again = populate(engine, store, Plan(SMALL, history=4))
    assert (again.versions, again.files) == (9, 0)
    next(iter(files)).unlink()
    assert populate(engine, store, Plan(SMALL, history=4)).files == 1
    hashes = {path: content(path) for path in files}
    other = open_engine(tmp_path / "other" / "catalogue.sqlite")
    populate(other, tmp_path / "other", Plan(SMALL))
    other.dispose()
    assert hashes == {path: content(tmp_path / "other" / path.relative_to(store)) for path in files}


def content(path: Path) -> str:
    with h5py.File(path) as file:
        names: list[str] = []
        file.visit(lambda name: names.append(name) if name.endswith("/data") else None)
        return content_hash(file[names[0]][()])


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.identifier)
def test_generated_constants_have_the_shapes_of_their_conditions(detector: Any) -> None:
    for constant in detector.constants:
        data = generate(constant, "U", 2, seed=1)
        assert data.shape == constant.shape_of(2)
        assert data.dtype == (np.uint32 if constant.look == "mask" else np.float32)
        assert np.isfinite(data).all()
        assert data.std() > 0
        assert np.array_equal(data, generate(constant, "U", 2, seed=1))
        assert not np.array_equal(data, generate(constant, "U", 2, seed=2))
        values = {**detector.values, "Memory cells": 2 if not detector.fixed_cells else 1}
        for name in ("Pixels X", "Pixels Y", "Memory cells"):
            assert values[name] in data.shape or detector.fixed_cells


def test_rows_in_bulk_are_added_once(engine: Engine) -> None:
    with engine.begin() as db:
        assert populate_rows(db, 2_000, seed=1) == 2_000
        assert populate_rows(db, 2_000, seed=1) == 0
        assert populate_rows(db, 2_500, seed=1) == 500
        assert db.execute(select(func.count()).select_from(VERSIONS)).scalar() == 2_500


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_name_leads_out_of_the_store(folder: str, name: str) -> None:
    root = Path("/store/of/constants")
    try:
        path = path_inside(root, folder, name)
    except OutsideStore:
        return
    assert root in path.parents
    assert ".." not in path.parts


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("/etc", "passwd"),
        ("..", "x.h5"),
        ("xfel/../../..", "x.h5"),
        ("xfel", "../x.h5"),
        ("xfel", "/etc/passwd"),
        ("", ""),
        ("xfel", ".."),
        ("x\0", "y"),
        ("link", "x.h5"),
    ],
)
def test_known_ways_out_are_refused(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "link").symlink_to(tmp_path)
    with pytest.raises(OutsideStore):
        path_inside(tmp_path / "store", folder, name)
