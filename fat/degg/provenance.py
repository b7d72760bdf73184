"""Where the results of a run of optical modules come from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from fat.configs import configs_folder
from fat.provenance import operator, source, versions


def provenance_of(run_file: Path, configuration: bytes) -> dict[str, Any]:
    """Source revision, what is not committed, versions, operator, digests of configuration and goalposts. JSON."""
    tree = source()
    goalposts = configs_folder() / "limits" / "degg.toml"
    return {
        "run_file": str(run_file),
        "source": tree.revision,
        "uncommitted": list(tree.changed),
        "versions": versions(),
        "operator": operator(),
        "config_sha256": hashlib.sha256(configuration).hexdigest(),
        "goalposts_sha256": hashlib.sha256(goalposts.read_bytes()).hexdigest(),
    }
