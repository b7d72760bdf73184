"""The camera in front of the freezer's panel: an HTTP address that gives a PNG photograph of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sim.kernel import FaultBoard, FaultSpec, Problem, Transcript
from sim.kernel.clock import SimClock
from sim.kernel.http import HttpServer
from sim.lab.freezer.panel import Display, Panel
from sim.lab.freezer.picture import darkness, photograph
from sim.lab.freezer.png import png

PATH: Final = "/picture.png"
KEPT: Final = 16
"""Pictures that are kept: a display that does not change is drawn once."""

CAMERA_FAULTS: Final = (
    FaultSpec(
        "freeze_picture",
        "Every picture is the one that was taken when the fault was first met.",
        "the picture shows an old temperature or set-point",
    ),
    FaultSpec("dark_picture", "Pictures are black, as with a covered lens.", "nothing can be read off"),
    FaultSpec("half_picture", "Only the first half of a picture's bytes is sent.", "a PNG that ends early"),
    FaultSpec(
        "picture_late", "Pictures come after a while of wall time.", "the client's time-out", {"delay_s": 5.0}
    ),
)


class FreezerCamera:
    """Serves the picture; one is drawn at a time, however many clients ask."""

    def __init__(
        self,
        name: str,
        panel: Panel,
        clock: SimClock,
        faults: FaultBoard,
        transcript: Transcript,
        *,
        port: int = 0,
    ) -> None:
        self._panel, self._clock, self._faults = panel, clock, faults
        app = Starlette(routes=[Route(PATH, self._answer, methods=["GET"])])
        self._http = HttpServer(name, app, port=port, transcript=transcript, channel="camera")
        self._drawing = asyncio.Lock()
        self._pictures: dict[Display | None, bytes] = {}
        self._frozen: Display | None = None

    async def start(self) -> str:
        """Bind; returns the address of the picture. Raises AddressTaken."""
        return await self._http.start() + PATH

    async def stop(self) -> None:
        """Close the address."""
        await self._http.stop()

    def problems(self) -> Sequence[Problem]:
        """None of its own."""
        return self._http.problems()

    async def _answer(self, _: Request) -> Response:
        if (late := self._faults.strike("picture_late")) is not None:
            await asyncio.sleep(min(3600.0, max(0.0, late.parameters["delay_s"])))
        data = await self._picture(self._seen(self._panel.display(await self._clock.read())))
        if self._faults.strike("half_picture") is not None:
            data = data[: len(data) // 2]
        return Response(data, media_type="image/png", headers={"Cache-Control": "no-store"})

    def _seen(self, display: Display) -> Display | None:
        """What the camera sees; None: nothing."""
        if self._faults.strike("dark_picture") is not None:
            return None
        if self._faults.strike("freeze_picture") is None:
            self._frozen = None
            return display
        if self._frozen is None:
            self._frozen = display
        return self._frozen

    async def _picture(self, display: Display | None) -> bytes:
        async with self._drawing:
            data = self._pictures.get(display)
            if data is None:
                data = await asyncio.to_thread(_drawn, display)
                if len(self._pictures) >= KEPT:
                    del self._pictures[next(iter(self._pictures))]
                self._pictures[display] = data
        return data


def _drawn(display: Display | None) -> bytes:
    return png(darkness() if display is None else photograph(display))
