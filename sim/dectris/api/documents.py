"""`/docs` and `/logs`: what a person may want from a control unit."""

from __future__ import annotations

import html
import io
import tarfile
from collections.abc import Mapping

from starlette.responses import HTMLResponse, Response

from sim.dectris.api.module import Module
from sim.dectris.conformance import ConformanceLog
from sim.dectris.models import Model
from sim.dectris.refusal import Refused

LOGS = "logs.tar.gz"


def docs_page(model: Model, modules: Mapping[str, Module]) -> Response:
    """The keys and commands of this unit, on one page."""
    rows = [f"<h1>{html.escape(model.description)}</h1><p>Simulated. API {model.version}.</p>"]
    for name, module in modules.items():
        base = f"/{name}/api/{model.version}"
        rows.append(f"<h2>{name}</h2><ul>")
        rows += [_item(f"{base}/config/{key}") for key in module.config.listed(model.version)]
        rows += [_item(f"{base}/status/{key}") for key in module.status.listed(model.version)]
        rows += [
            f"<li>PUT {base}/command/{command}</li>" for command in sorted(module.commands(model.version))
        ]
        rows.append("</ul>")
    return HTMLResponse("<!doctype html><title>SIMPLON API</title>" + "".join(rows))


def _item(path: str) -> str:
    return f'<li><a href="{path}">{path}</a></li>'


def log_archive(name: str, log: ConformanceLog) -> Response:
    """What `create_log_tarball` names: the conformance log. Raises Refused (404)."""
    if name.strip("/") != LOGS:
        raise Refused(404, f"there is no log {name[:100]}")
    log.close()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path in log.files():
            archive.add(path, arcname=path.name)
    return Response(packed.getvalue(), media_type="application/gzip")
