"""OAuth2 clients that may ask for tokens: their secrets are kept as scrypt hashes only."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sim.errors import SimError

CLIENTS_FILE: Final = "oauth_clients.json"
COST, BLOCK, PARALLEL = 1 << 14, 8, 1
"""16 MiB and some 50 ms for each check."""
MOST_COST: Final = 1 << 17
KEY_BYTES: Final = 32
LONGEST_SECRET: Final = 1024


class ClientsUnreadable(SimError):
    """The file of registered clients cannot be read: stop, rather than let everybody in."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} cannot be read as the list of OAuth clients ({reason}); mend it or move it away"
        )


@dataclass(frozen=True, slots=True)
class SecretHash:
    """A secret's scrypt hash, written `scrypt$cost$block$parallel$salt$key` (salt and key in base64)."""

    cost: int
    block: int
    parallel: int
    salt: bytes
    key: bytes

    @classmethod
    def of(cls, secret: str) -> SecretHash:
        """Hash a secret with a salt of its own."""
        salt = os.urandom(16)
        return cls(COST, BLOCK, PARALLEL, salt, _derive(secret, salt, COST, BLOCK, PARALLEL))

    @classmethod
    def read(cls, text: str) -> SecretHash:
        """Read what `str` writes. Raises ValueError."""
        try:
            name, cost, block, parallel, salt, key = text.split("$")
            numbers = int(cost), int(block), int(parallel)
            decoded = base64.b64decode(salt, validate=True), base64.b64decode(key, validate=True)
        except (ValueError, binascii.Error):
            raise ValueError("is no hash; `stellwerk caldb client add` prints one") from None
        fair = 2 <= numbers[0] <= MOST_COST and 1 <= numbers[1] <= 16 and 1 <= numbers[2] <= 4
        if name != "scrypt" or not fair or numbers[0] & (numbers[0] - 1) or len(decoded[1]) != KEY_BYTES:
            raise ValueError("is no scrypt hash; `stellwerk caldb client add` prints one")
        return cls(*numbers, *decoded)

    def __str__(self) -> str:
        salt, key = (base64.b64encode(part).decode() for part in (self.salt, self.key))
        return f"scrypt${self.cost}${self.block}${self.parallel}${salt}${key}"

    def fits(self, secret: str) -> bool:
        """Whether this is the secret; takes as long when it is not."""
        if len(secret) > LONGEST_SECRET:
            return False
        return hmac.compare_digest(self.key, _derive(secret, self.salt, self.cost, self.block, self.parallel))


def _derive(secret: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    memory = 2 * 128 * cost * block * parallel
    return hashlib.scrypt(
        secret.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=memory, dklen=KEY_BYTES
    )


class Clients:
    """The clients of one catalogue.

    hashes  None: nobody ever registered one, and any id and secret are good, because a bench has no secrets
    """

    def __init__(self, hashes: Mapping[str, SecretHash] | None) -> None:
        self._hashes = dict(hashes or {})
        self._nobody = None if hashes is None else SecretHash.of(secrets.token_hex())

    def accepts(self, client_id: str, secret: str) -> bool:
        """Whether a client may have a token. An unknown id takes as long as a wrong secret."""
        if self._nobody is None:
            return True
        known = self._hashes.get(client_id)
        return (known or self._nobody).fits(secret) and known is not None


def new_secret() -> str:
    """A secret that nobody guesses."""
    return secrets.token_urlsafe(32)


def read_clients(store: Path) -> dict[str, SecretHash] | None:
    """The clients registered on a store, by id; None when there never was one. Raises ClientsUnreadable."""
    path = store / CLIENTS_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(client_id): SecretHash.read(text) for client_id, text in content.items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError) as error:
        raise ClientsUnreadable(path, str(error)) from None


def write_clients(store: Path, clients: Mapping[str, SecretHash]) -> None:
    """Write them, whole or not at all, readable by the owner only."""
    store.mkdir(parents=True, exist_ok=True)
    path = store / CLIENTS_FILE
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    content = json.dumps({client_id: str(known) for client_id, known in sorted(clients.items())}, indent=2)
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(content + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
