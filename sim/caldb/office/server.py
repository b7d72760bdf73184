"""The address of the back office."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Engine

from sim.caldb.office.access import Door
from sim.caldb.office.app import Office
from sim.caldb.office.config import OfficeTable
from sim.caldb.office.passwords import generated
from sim.caldb.office.users import Users
from sim.kernel import NS_PER_MS, Problem, Transcript
from sim.kernel.clock import SimClock
from sim.kernel.http import HttpServer


class OfficeServer:
    """Serves the back office of one catalogue, whose REST server is started before."""

    def __init__(
        self,
        name: str,
        table: OfficeTable,
        engine: Callable[[], Engine | None],
        store: Path,
        clock: SimClock,
    ) -> None:
        self._name, self._engine, self._clock = name, engine, clock
        self._users = Users(table.users)
        office = Office(engine, store, Door(table, self._users), self._now_ms, name)
        # No transcript: passwords and session cookies go over this wire.
        silent = Transcript(None, lambda: 0)
        self._http = HttpServer(name, office.app(), host=table.host, port=table.port, transcript=silent)
        self._notes: list[str] = []

    async def start(self) -> str:
        """Serve; where nobody could log in, make a user for as long as this process lives. Raises AddressTaken."""
        engine = self._engine()
        if engine is None:
            raise AssertionError("the catalogue starts before its back office")
        with engine.connect() as db:
            somebody = self._users.anybody(db)
        address = await self._http.start()
        if not somebody:
            password = generated()
            user = self._users.let_in(password)
            self._notes = [
                f"{self._name}.office at {address}: user {user}, password {password} (until this bench goes down)"
            ]
        return address

    async def stop(self) -> None:
        """Finish requests in progress, then close."""
        await self._http.stop()

    def problems(self) -> Sequence[Problem]:
        """The office tells every problem on its pages."""
        return ()

    def notes(self) -> Sequence[str]:
        """What whoever starts the device has to read, once: the generated password. Forgotten by asking."""
        notes, self._notes = self._notes, []
        return notes

    async def _now_ms(self) -> int:
        return self._clock.unix_ns(await self._clock.read()) // NS_PER_MS
