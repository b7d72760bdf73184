"""A catalogue of calibration constants with its store, from its table in the bench file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from sim.caldb.api import CatalogueApi
from sim.caldb.clients import Clients, SecretHash, read_clients
from sim.caldb.config import CatalogueTable
from sim.caldb.kind import CATALOGUE_FILE
from sim.caldb.office.server import OfficeServer
from sim.caldb.remotes.server import RemotesServer
from sim.caldb.server import CatalogueServer, StoreFolder
from sim.caldb.tokens import Tokens
from sim.kernel import Server, Surroundings
from sim.kernel.http import HttpServer


def build_catalogue(surroundings: Surroundings, table: CatalogueTable) -> Mapping[str, Server]:
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
    office = OfficeServer(surroundings.name, table.office, lambda: api.engine, folder, surroundings.clock)
    servers: dict[str, Server] = {"rest": rest, "store": StoreFolder(folder), "office": office}
    if table.remotes:
        servers["remotes"] = RemotesServer(
            surroundings,
            lambda: api.engine,
            folder,
            table.remotes,
            host=table.host,
            first_port=table.first_remote_port,
        )
    return servers


def _clients(store: Path, table: CatalogueTable) -> dict[str, SecretHash] | None:
    registered = read_clients(store)
    if registered is None and not table.clients:
        return None
    return (registered or {}) | {client.id: SecretHash.read(client.secret_hash) for client in table.clients}
