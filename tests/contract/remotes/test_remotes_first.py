"""A pipeline whose constants come through the remotes, and what it does when they are silent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import ConstantsTable
from pipeline.constants.model import ConstantVersion
from pipeline.constants.opening import open_catalogue

TABLE = ConstantsTable(source="remotes", remotes_deadline_s=0.5, give_up_after_s=0.0)
NOBODY = ["tcp://127.0.0.1:1"]


async def test_remotes_then_the_catalogue_then_the_cache(remotes: Any, tmp_path: Path) -> None:
    injected = await remotes.inject(4.0)

    def ask(rest: str, addresses: list[str]) -> tuple[list[ConstantVersion], Any, list[str], Any]:
        folder = tmp_path / "cache"
        with open_catalogue(rest, remotes.store, remotes.detector, TABLE, folder, addresses) as catalogue:
            versions = catalogue.select(remotes.conditions, ["Offset"], [0], remotes.begin)
            data = catalogue.load(versions, remotes.conditions).get(0, "Offset")
            return versions, data, list(catalogue.remarks), catalogue.kept_since

    versions, data, remarks, since = await asyncio.to_thread(ask, remotes.rest, remotes.addresses)
    assert [version.id for version in versions] == [injected.id]
    assert (remarks, since) == ([], None)
    assert "Got calibration: Offset (AGIPD1M1)" in remotes.log
    by_remotes = remotes.log.count("Start searching")

    for rest, remark in ((remotes.rest, "the catalogue itself is asked"), ("http://127.0.0.1:1", "neither")):
        again, same, remarks, since = await asyncio.to_thread(ask, rest, NOBODY)
        assert again == versions
        np.testing.assert_array_equal(same, data)
        assert any(remark in sentence for sentence in remarks), remarks
        assert (since is None) == (rest == remotes.rest)
    assert remotes.log.count("Start searching") == by_remotes
