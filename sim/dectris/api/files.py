"""`/data`: the file writer's files.

Source: SIMPLON API reference 1.8; ADEiger (HEAD answers 404 until a file is finished, DELETE answers 204).
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from sim.dectris.api.ports import FileStore
from sim.dectris.refusal import Refused


def serve_file(store: FileStore, name: str, request: Request) -> Response:
    """Answer a request for a file. Ranges of bytes are possible. Raises Refused."""
    if request.method in ("GET", "HEAD") and not name:
        return JSONResponse(list(store.names()))
    if request.method == "DELETE":
        if not store.delete(name):
            raise _missing(name)
        return Response(status_code=204)
    if request.method not in ("GET", "HEAD"):
        raise Refused(405, f"{request.method[:20]} is not possible on /data")
    path = store.path(name)
    if path is None or not path.is_file():
        raise _missing(name)
    wanted = "application/hdf5" in request.headers.get("accept", "")
    return FileResponse(path, media_type="application/hdf5" if wanted else "application/octet-stream")


def _missing(name: str) -> Refused:
    return Refused(404, f"there is no finished file {name[:200]}")
