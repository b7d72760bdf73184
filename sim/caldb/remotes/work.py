"""What a remote does for a request: ask the catalogue, read and write files. Knows no sockets."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from sim.caldb.remotes import catalogue, files
from sim.caldb.remotes.budget import Budget
from sim.caldb.remotes.catalogue import VERSION_TAKEN, Found
from sim.caldb.remotes.faults import CORRUPT, TAKEN, TRUNCATE, RemoteFaults
from sim.caldb.remotes.fields import Refusal
from sim.caldb.remotes.messages import Answer, Body, Described, Fetch, Inject, Lookup, Search

T = TypeVar("T")
Say = Callable[[str], None]
BUSY_WORDS = "Resource temporarily unavailable"


@dataclass(frozen=True, slots=True)
class Store:
    """The catalogue as all its remotes share it.

    Database work is done on the event loop, as REST does it: it is local and takes milliseconds. Files are read and
    written by *threads*.
    """

    engine: Callable[[], Engine | None]
    folder: Path
    now_ms: Callable[[], Awaitable[int]]
    threads: ThreadPoolExecutor
    budget: Budget
    most_data_bytes: int
    """The largest array that travels in a message."""

    async def ask(self, act: Callable[[Connection, int], T]) -> T:
        """Do something in one transaction; *act* gets the connection and the bench's time in ms."""
        now_ms = await self.now_ms()
        engine = self.engine()
        if engine is None:
            raise Refusal("failed", "the catalogue is closed")
        with engine.begin() as db:
            return act(db, now_ms)

    async def in_thread(self, act: Callable[[], T]) -> T:
        """Do something that waits for the disk."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, act)


async def carry_out(body: Body, store: Store, faults: RemoteFaults, say: Say) -> Answer:
    """Answer a search, a fetch or an injection; *say* writes log lines. Raises Refusal."""
    if isinstance(body, Search):
        found = await _search(store, body.lookup, say)
        return Answer({"versions": [one.content() for one in found]})
    if isinstance(body, Fetch):
        return await _fetch(body, store, faults, say)
    if isinstance(body, Inject):
        return await _inject(body, store, faults, say)
    raise AssertionError(f"{body} is answered out of turn")


async def _search(store: Store, lookup: Lookup, say: Say) -> list[Found]:
    say("Start searching in Calibration Catalogue...")
    return await store.ask(lambda db, now_ms: catalogue.search(db, lookup, now_ms))


async def _fetch(fetch: Fetch, store: Store, faults: RemoteFaults, say: Say) -> Answer:
    found = await _find_one(fetch, store, say)
    data: NDArray[Any] | None = None
    look = partial(files.describe, store.folder, found.path, found.version["data_set"])
    described = await store.in_thread(look)
    if not fetch.meta_only:
        described, data = await _read(store, found, described)
    calibration = found.version["calibration"]
    short = found.detector.rsplit("_", 1)[-1].replace("-", "")
    say(f"Got calibration: {calibration} ({short}), meta_only: {fetch.meta_only}")
    content = {**found.content(), "meta_only": fetch.meta_only, "array": _array_content(described)}
    if data is None:
        return Answer(content)
    if data.nbytes and faults.strike(CORRUPT):
        data.reshape(-1).view(np.uint8)[data.nbytes // 2] ^= 0xFF
    return Answer(content, data.reshape(-1).view(np.uint8).data)


async def _find_one(fetch: Fetch, store: Store, say: Say) -> Found:
    if fetch.lookup is None:
        version_id = fetch.version_id or 0
        return await store.ask(lambda db, _: catalogue.version_by_id(db, version_id))
    found = await _search(store, fetch.lookup, say)
    if not found:
        (calibration,), (karabo_da,) = fetch.lookup.calibrations, fetch.lookup.karabo_das
        raise Refusal("not_found", f"no {calibration} of {karabo_da} fits these conditions and this time")
    return found[0]


async def _read(store: Store, found: Found, described: Described) -> tuple[Described, NDArray[Any]]:
    """The array, once there is memory for it; what cannot be carried now is refused rather than waited for."""
    size = math.prod(described.shape) * np.dtype(described.dtype).itemsize
    if size > store.most_data_bytes:
        words = f"{found.path} holds {size} bytes, and an answer carries at most {store.most_data_bytes}"
        raise Refusal("too_large", f"{words}; ask with meta_only")
    if not store.budget.take(size):
        raise Refusal("busy", BUSY_WORDS)
    try:
        described, data = await store.in_thread(
            partial(files.read, store.folder, found.path, found.version["data_set"], size)
        )
    except BaseException:
        store.budget.give(size)
        raise
    store.budget.give_when_gone(data, size)
    return described, data


def _array_content(described: Described) -> dict[str, Any]:
    return {**asdict(described), "shape": list(described.shape), "dims": list(described.dims)}


async def _inject(inject: Inject, store: Store, faults: RemoteFaults, say: Say) -> Answer:
    if faults.strike(TAKEN):
        raise Refusal("taken", VERSION_TAKEN)
    place = await store.ask(lambda db, _: catalogue.place_of(db, inject))
    there = await store.ask(lambda db, _: catalogue.version_in_place(db, inject, place))
    relative = PurePosixPath(place.folder) / place.file_name
    # The name comes from the content: the same one is written again, which heals a damaged file.
    if there is not None and there.path != relative:
        raise await _taken(store, there)
    data = await store.in_thread(partial(files.array_of, inject))
    path = files.inside(store.folder, relative)
    attributes = {
        **inject.parameters,
        "begin_at": inject.begin_at,
        "raw_data_location": inject.raw_data_location,
    }
    await store.in_thread(partial(files.write, path, place.data_set, inject, data, attributes))
    if faults.strike(TRUNCATE):
        files.cut_in_half(path)
    say(f"Saved file {place.file_name} at {place.folder}")
    say("Start writing to Calibration Catalogue...")
    try:
        found = await store.ask(lambda db, now_ms: catalogue.register(db, inject, place, now_ms))
    except Refusal as refusal:
        there = await store.ask(lambda db, _: catalogue.version_in_place(db, inject, place))
        if there is None or there.path != relative:
            path.unlink(missing_ok=True)
        raise (await _taken(store, there)) if there is not None else refusal from None
    # Spelled as in the facility's log, by which people search.
    say("Finnish writing to Calibration Catalogue...")
    say(f"Registered {place.file_name} successfully")
    return Answer(found.content())


async def _taken(store: Store, there: Found) -> Refusal:
    """'Version already taken', with the version that is there and its checksum: a client knows its own again."""
    look = partial(files.describe, store.folder, there.path, there.version["data_set"])
    try:
        sha256 = (await store.in_thread(look)).sha256
    except Refusal:
        sha256 = ""
    return Refusal("taken", VERSION_TAKEN, {**there.content(), "sha256": sha256})
