"""The device kind `caldb`. Light to import: what serves is imported when a bench builds one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sim.caldb.config import CatalogueTable
from sim.caldb.remotes.faults import FAULTS as REMOTE_FAULTS
from sim.kernel import DeviceKind, FaultSpec, Server, Surroundings

CATALOGUE_FILE: Final = "catalogue.sqlite"

FAULTS: Final = (
    FaultSpec(
        "slow_answer",
        "Every request waits before it is answered.",
        "the client's time-out, CatalogueUnreachable in the pipeline",
        {"seconds": 20.0},
    ),
    FaultSpec(
        "server_error",
        "A request is answered with status 500.",
        "CatalogueUnreachable with status 500 in its sentence, once the client has tried again in vain",
    ),
    FaultSpec(
        "refuse",
        "A request is answered with status 503, as by a proxy in front of a stopped catalogue.",
        "CatalogueUnreachable with status 503 in its sentence, once the client has tried again in vain",
    ),
    FaultSpec(
        "forget_token",
        "The token that a request carries is forgotten: this and later requests with it are answered with 401.",
        "status 401; a client fetches a new token from oauth/token",
    ),
    *REMOTE_FAULTS,
)


def build(surroundings: Surroundings, table: CatalogueTable) -> Mapping[str, Server]:
    """Build the catalogue. Endpoint suffixes: `rest`, `store`, `office`, `remotes`. Raises SimError."""
    from sim.caldb.build import build_catalogue

    return build_catalogue(surroundings, table)


KIND: Final = DeviceKind(
    name="caldb",
    about="Catalogue of calibration constants (REST) with its store of HDF5 files",
    config=CatalogueTable,
    faults=FAULTS,
    build=build,
)
