"""The device kind `caldb`: a catalogue of calibration constants with its store."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sim.caldb.api import CatalogueApi
from sim.caldb.clients import Clients, SecretHash, read_clients
from sim.caldb.config import CatalogueTable
from sim.caldb.server import CatalogueServer, StoreFolder
from sim.caldb.tokens import Tokens
from sim.kernel import DeviceKind, FaultSpec, Server, Surroundings
from sim.kernel.http import HttpServer

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
)


def build(surroundings: Surroundings, table: CatalogueTable) -> Mapping[str, Server]:
    """A catalogue whose constants, and rows unless another database is named, lie in `{data_dir}/{device}`."""
    folder = surroundings.data_dir / surroundings.name
    tokens = Tokens(table.token_lifetime_s, time.time)
    clients = Clients(_clients(folder, table))
    api = CatalogueApi(
        surroundings.clock, surroundings.faults, tokens, clients, require_token=table.require_token
    )
    http = HttpServer(
        surroundings.name, api.app, host=table.host, port=table.port, transcript=surroundings.transcript
    )
    rest = CatalogueServer(api, http, table.database or folder / CATALOGUE_FILE, table, surroundings.clock)
    return {"rest": rest, "store": StoreFolder(folder)}


def _clients(store: Path, table: CatalogueTable) -> dict[str, SecretHash] | None:
    registered = read_clients(store)
    if registered is None and not table.clients:
        return None
    return (registered or {}) | {client.id: SecretHash.read(client.secret_hash) for client in table.clients}


KIND: Final = DeviceKind(
    name="caldb",
    about="Catalogue of calibration constants (REST) with its store of HDF5 files",
    config=CatalogueTable,
    faults=FAULTS,
    build=build,
)
