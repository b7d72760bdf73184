"""Result records as the database of the acceptance test takes them (`fat.md` section 11), and what it checks.

One document tells one quantity, or one graph, of one part of one module. Checks come before anything is written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.results.quantity import GROUPS, Graph, Quantity
from fat.errors import FatError
from fat.files import as_json, not_json

STAGE: Final = "fat"
SITE: Final = "chiba"
MAX_BYTES: Final = 16 << 20
PMT_TYPE: Final = "R5912-100-70"
NEEDED: Final = (
    "device_uid",
    "subdevice_uid",
    "meas_class",
    "meas_stage",
    "meas_site",
    "meas_group",
    "meas_name",
    "meas_time",
    "meas_data",
)
_UNFIT: Final = re.compile(r"[^A-Za-z0-9.-]+")


class DocumentRefused(FatError):
    """A result record would not be taken by the database."""

    exit_code = 4


def device_uid(serial: str) -> str:
    """`DEgg2021-3-133_v1`"""
    return f"{serial}_v1"


def subdevice_uid(serial: str, part: str, pmt_serials: Mapping[str, str]) -> str:
    """`degg-pmt_R5912-100-70_SQ0657` of a photomultiplier, else the module's and the part's name.

    pmt_serials  by part
    """
    if part in pmt_serials:
        return f"degg-pmt_{PMT_TYPE}_{pmt_serials[part]}"
    return f"degg-{part}_{serial}" if part else f"degg-mainboard_{serial}"


def of_quantity(
    quantity: Quantity, *, subdevice: str, run: int, time: float, testnames: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    """The record of a number.

    time       Unix time, s
    testnames  name and type of the goalposts that judged it
    """
    goalposts = [{"testname": name, "testtype": kind} for name, kind in testnames]
    datum = {
        "data_format": "value",
        "label": quantity.about,
        "value": float(quantity.value),
        "unit": quantity.unit,
    }
    datum |= _at(quantity.temperature_c)
    if goalposts:
        datum["goalpost"] = goalposts
    return _document(quantity, "derived", subdevice, run, time, [datum])


def of_graph(graph: Graph, *, subdevice: str, run: int, time: float) -> dict[str, Any]:
    """The record of a graph: its points or its histogram, then its curves."""
    first: dict[str, Any] = {
        "label": graph.title,
        "x_label": graph.x_label,
        "y_label": graph.y_label,
        "x_scale": graph.x_scale,
        "y_scale": graph.y_scale,
        "kind": graph.kind,
        "text": graph.text,
    } | _at(graph.temperature_c)
    if graph.kind == "steps" and _even(graph.x):
        first |= {"data_format": "hist", "x_min": float(graph.x[0]), "x_max": float(graph.x[-1])}
        first |= {"n_bins": len(graph.y), "y_values": _list(graph.y)}
    else:
        first |= {"data_format": "graph", "x_values": _list(graph.x), "y_values": _list(graph.y)}
    if graph.y_error is not None:
        first["y_errors"] = _list(graph.y_error)
    curves = [
        {"data_format": "graph", "label": label, "x_values": _list(x), "y_values": _list(y)}
        for label, (x, y) in graph.curves.items()
    ]
    return _document(graph, "raw", subdevice, run, time, [first, *curves])


def file_name(document: Mapping[str, Any], number: int) -> str:
    """`<subdevice>_<group>_<key>_<nn>.json`; `…_data.json` for a raw record."""
    key = _UNFIT.sub("-", str(document["meas_name"]))
    tail = "_data" if document["meas_class"] == "raw" else ""
    return f"{document['subdevice_uid']}_{document['meas_group']}_{key}_{number:02d}{tail}.json"


def text_of(document: Mapping[str, Any]) -> bytes:
    """The document as it is filed. Raises DocumentRefused."""
    name = document.get("meas_name", "?")
    missing = [key for key in NEEDED if document.get(key) in (None, "", [])]
    if missing:
        raise DocumentRefused(f"result record {name}: lacks {', '.join(missing)}")
    if document["meas_group"] not in GROUPS:
        raise DocumentRefused(f"result record {name}: there is no group {document['meas_group']!r}")
    if wrong := not_json(document):
        raise DocumentRefused(f"result record {name}: {wrong}")
    text = as_json(document, indent=4)
    if len(text) >= MAX_BYTES:
        raise DocumentRefused(
            f"result record {name}: has {len(text)} bytes; fewer than {MAX_BYTES} are taken"
        )
    return text


def _document(
    of: Quantity | Graph, kind: str, subdevice: str, run: int, time: float, data: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "device_uid": device_uid(of.device),
        "subdevice_uid": subdevice,
        "meas_class": kind,
        "meas_stage": STAGE,
        "meas_site": SITE,
        "meas_group": of.group,
        "meas_name": of.name,
        "meas_time": int(time),
        "run_number": run,
        "meas_data": data,
    }


def _at(temperature_c: float | None) -> dict[str, Any]:
    return {} if temperature_c is None else {"temperature": round(float(temperature_c), 2)}


def _even(edges: Any) -> bool:
    widths = np.diff(edges)
    return bool(len(widths) and np.allclose(widths, widths[0], rtol=1e-6))


def _list(values: Any) -> list[float | None]:
    """Plain numbers, seven digits; null where there is none."""
    plain = [float(value) for value in np.asarray(values).ravel()]
    return [float(f"{value:.7g}") if math.isfinite(value) else None for value in plain]


def graph_of(document: Mapping[str, Any], device: str, part: str) -> Graph:
    """The graph that a record tells of. Raises KeyError, ValueError for one that tells of none."""
    first, *curves = document["meas_data"]
    if first["data_format"] == "hist":
        x = np.linspace(first["x_min"], first["x_max"], first["n_bins"] + 1)
    else:
        x = _array(first["x_values"])
    return Graph(
        device,
        part,
        document["meas_group"],
        document["meas_name"],
        first["label"],
        first["x_label"],
        first["y_label"],
        x,
        _array(first["y_values"]),
        first["kind"],
        y_error=_array(first["y_errors"]) if "y_errors" in first else None,
        curves={curve["label"]: (_array(curve["x_values"]), _array(curve["y_values"])) for curve in curves},
        x_scale=first["x_scale"],
        y_scale=first["y_scale"],
        text=first["text"],
        temperature_c=first.get("temperature"),
    )


def _array(values: list[float | None]) -> NDArray[Any]:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
