"""The catalogue's two addresses: its REST server, and the folder in which constants are stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sim.caldb.api import NS_PER_MS, CatalogueApi
from sim.caldb.config import CatalogueTable
from sim.caldb.opening import Address, open_engine
from sim.caldb.seeding import seed
from sim.kernel import Problem
from sim.kernel.clock import SimClock
from sim.kernel.http import HttpServer


class CatalogueServer:
    """Serves one catalogue over REST."""

    def __init__(
        self, api: CatalogueApi, http: HttpServer, database: Address, table: CatalogueTable, clock: SimClock
    ) -> None:
        self._api, self._http, self._database, self._table, self._clock = api, http, database, table, clock

    async def start(self) -> str:
        """Open the database, fill in what is new, and serve. Raises AddressTaken, DatabaseUnknown, StoreDamaged."""
        engine = open_engine(self._database)
        try:
            now_ms = self._clock.unix_ns(await self._clock.read()) // NS_PER_MS
            with engine.begin() as db:
                seed(db, self._table.detectors, now_ms)
            address = await self._http.start()
        except BaseException:
            engine.dispose()
            raise
        self._api.engine = engine
        return address

    async def stop(self) -> None:
        """Finish requests in progress, then close the database."""
        await self._http.stop()
        if self._api.engine is not None:
            self._api.engine.dispose()
            self._api.engine = None

    def problems(self) -> Sequence[Problem]:
        """The catalogue answers every problem to the client that caused it."""
        return ()


class StoreFolder:
    """The folder of the constants' files, which clients read and write themselves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def start(self) -> str:
        """Make the folder; its address is its absolute path."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return str(self._folder.resolve())

    async def stop(self) -> None:
        """Leave the files as they are."""

    def problems(self) -> Sequence[Problem]:
        """A folder has none."""
        return ()
