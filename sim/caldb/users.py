"""The user behind a request, as the catalogue shows one."""

from __future__ import annotations

from typing import Any, Final

LONGEST_EMAIL: Final = 254
NOBODY: Final = "bench@localhost"


def user_of(email: str) -> dict[str, Any]:
    """The user with an e-mail address; a bench knows nobody, so names are made from the address.

    The facility's accounts are the family name and the first letter of the first name: `anna.berg@…` is `berga`.
    """
    email = email if 0 < len(email) <= LONGEST_EMAIL and "@" in email else NOBODY
    parts = [part.capitalize() for part in email.partition("@")[0].replace("_", ".").split(".") if part]
    first, last = (parts[0], parts[-1]) if len(parts) > 1 else ("", parts[0] if parts else "")
    account = (last + first[:1]).lower()
    return {
        "id": 1,
        "email": email,
        "provider": "ldap",
        "contact_email": email,
        "name": " ".join(parts),
        "first_name": first,
        "last_name": last,
        "nickname": account,
        "uid": account,
        "ldap_synced_at": None,
        "flg_service_account": email == NOBODY,
        "flg_ldap_account_valid": email != NOBODY,
        "roles": [],
    }
