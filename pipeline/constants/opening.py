"""A catalogue with its cache, as the pipeline's table wants them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import structlog

from pipeline.config import ConstantsTable
from pipeline.constants.cache import ConstantsCache
from pipeline.constants.catalogue import Catalogue
from pipeline.constants.kept import KeptAnswers
from pipeline.constants.remotes.client import Patience, Remotes
from pipeline.constants.remotes.first import CatalogueThroughRemotes
from pipeline.constants.rest import Asking, CatalogueRest

log = structlog.get_logger()
CACHE_FOLDER: Final = "constants-cache"


def cache_folder(table: ConstantsTable, data_dir: Path) -> Path | None:
    """Where copies are kept; None: nowhere."""
    if not table.cache:
        return None
    return Path(table.cache_folder) if table.cache_folder else data_dir / CACHE_FOLDER


@contextlib.contextmanager
def open_catalogue(
    url: str,
    store: Path,
    detector: str,
    table: ConstantsTable,
    folder: Path | None,
    remotes: Sequence[str] = (),
) -> Iterator[Catalogue]:
    """One detector's constants; what had to be taken from the cache stands in `remarks` and in the log.

    folder   of the cache; None: without one
    remotes  addresses of the remotes, for a table that asks them
    """
    rest = CatalogueRest(url, retry_for_s=table.give_up_after_s)
    asked: Remotes | None = None
    try:
        asking: Asking = rest
        cache = None
        remarks: list[str] = []

        def remark(sentence: str) -> None:
            if sentence in remarks:
                return
            remarks.append(sentence)
            log.warning("constants", remark=sentence)

        if folder is not None:
            cache = ConstantsCache(folder, round(table.cache_gb * 1e9), remark)
            asking = KeptAnswers(rest, cache, table.cache_max_age_h * 3600, remark)
        if table.source == "remotes":
            asked = Remotes(remotes, Patience(deadline_s=table.remotes_deadline_s))
            catalogue: Catalogue = CatalogueThroughRemotes(
                asking, store, detector, cache, asked, table.cache_max_age_h * 3600
            )
        else:
            catalogue = Catalogue(asking, store, detector, cache)
        catalogue.remarks = remarks
        yield catalogue
    finally:
        rest.close()
        if asked is not None:
            asked.close()
