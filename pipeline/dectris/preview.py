"""Live pictures of a running acquisition, over HTTP: the sum, maps of the scan, and how far it is."""

from __future__ import annotations

import html
import io
import threading
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pipeline.control.server import ControlServer
from pipeline.dectris.acquisition import Partial
from pipeline.dectris.outcome import AcquisitionResult
from pipeline.model import F32

MAX_SIDE: Final = 1024
"""Pictures are thinned until their longer side fits."""
PERCENTILES: Final = (1.0, 99.5)
GREY: Final = (128, 128, 128, 255)
PAGE: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Acquisition</title><style>
body{font-family:sans-serif;margin:1em;background:#fff;color:#222}figure{display:inline-block;margin:0 1em 1em 0}
img{width:22em;image-rendering:pixelated;border:1px solid #ccc}</style></head><body><h1>Acquisition</h1>
<p id="now" role="status">waiting for images</p>
FIGURES
<script>
async function look(){try{const n=await(await fetch("status.json")).json();
document.getElementById("now").textContent=n.sentence;
for(const i of document.images)i.src=i.dataset.src+"?"+n.frames;}catch(e){
document.getElementById("now").textContent="the acquisition is over";}setTimeout(look,1000);}look();
</script></body></html>"""


class PreviewServer:
    """Serves the newest partial results at one address.

    *names* says which result, by its place among the reductions, has which name. Raises AddressInUse.
    """

    def __init__(self, names: Mapping[str, int], port: int = 0) -> None:
        self._names = dict(names)
        self._lock = threading.Lock()
        self._results: tuple[Any, ...] = ()
        self._status: dict[str, Any] = {"sentence": "waiting for images", "frames": 0}
        routes = [
            Route("/", self._page),
            Route("/status.json", self._state),
            Route("/{name}.png", self._picture),
        ]
        self._server = ControlServer(Starlette(routes=routes), port=port)

    def start(self) -> str:
        """Serve; the address of the page."""
        return self._server.start()

    def stop(self) -> None:
        """Stop serving."""
        self._server.stop()

    def show(self, partial: Partial) -> None:
        """Show these from now on."""
        now = partial.progress
        sentence = f"{now.frames:,} of {now.expected:,} images, {now.images_per_s:,.0f} a second"
        if now.missing_so_far:
            sentence += f", {now.missing_so_far:,} missing"
        self._keep(partial.results, sentence, now.frames)

    def show_end(self, outcome: AcquisitionResult) -> None:
        """Show the results of a series that is over."""
        self._keep(outcome.results, " ".join(outcome.sentences()), outcome.report.frames)

    def _keep(self, results: tuple[Any, ...], sentence: str, frames: int) -> None:
        with self._lock:
            self._results, self._status = results, {"sentence": sentence, "frames": frames}

    async def _page(self, _: Request) -> Response:
        figures = "\n".join(
            f'<figure><img data-src="{html.escape(name)}.png" alt="{html.escape(name)}">'
            f"<figcaption>{html.escape(name)}</figcaption></figure>"
            for name in self._names
        )
        return HTMLResponse(PAGE.replace("FIGURES", figures))

    async def _state(self, _: Request) -> Response:
        with self._lock:
            return JSONResponse(self._status, headers={"cache-control": "no-store"})

    def _picture(self, request: Request) -> Response:
        """In a thread of Starlette's: drawing takes some 10 ms."""
        place = self._names.get(str(request.path_params["name"]))
        with self._lock:
            result = self._results[place] if place is not None and place < len(self._results) else None
        if result is None:
            return PlainTextResponse("there is no such picture yet", status_code=404)
        return Response(
            as_png(picture_of(result)), media_type="image/png", headers={"cache-control": "no-store"}
        )


def picture_of(result: NDArray[Any]) -> F32:
    """A result as one picture (height, width), thinned to at most MAX_SIDE.

    (h, w) as it is; (1, h, w) its only map; (h, w, 2), the centre of mass, as distance from its mean, in pixels;
    what has one dimension, as a row.
    """
    values = np.asarray(result, np.float32)
    if values.ndim > 2 and values.shape[-1] == 2:
        known = values[np.isfinite(values).all(axis=-1)]
        y, x = known.mean(axis=0) if len(known) else (0.0, 0.0)
        values = np.hypot(values[..., 0] - y, values[..., 1] - x)
    while values.ndim > 2:
        values = values[0]
    values = np.atleast_2d(values)
    step = max(1, -(-max(values.shape) // MAX_SIDE))
    return values[::step, ::step]


def as_png(picture: F32) -> bytes:
    """A picture in colours that everybody can tell apart, row 0 above; what is not known is grey."""
    from matplotlib import colormaps, image

    known = picture[np.isfinite(picture)]
    low, high = np.percentile(known, PERCENTILES) if known.size else (0.0, 1.0)
    shown = colormaps["viridis"](np.nan_to_num((picture - low) / (max(high, low + 1e-6) - low)), bytes=True)
    shown[~np.isfinite(picture)] = GREY
    room = io.BytesIO()
    image.imsave(room, shown, format="png")
    return room.getvalue()
