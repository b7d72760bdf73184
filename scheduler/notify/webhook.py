"""A POST of JSON for each message, for chats and programs that take one.

The body: `id`, `run`, `at` (Unix time), `severity`, `wake`, `text`, and for a picture `picture` with `name`, `title`
and `data` (base64). The header `Idempotency-Key` is the same when a message is sent again.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from scheduler.notify.notice import ANSWER_TIMEOUT_S, Later, OutgoingMessage, Refused, Severity
from scheduler.notify.retry_after import retry_after_s


class WebhookMessenger:
    """Posts to one address."""

    name = "webhook"

    def __init__(self, run_dir: Path, url: str) -> None:
        self._run_dir, self._url = run_dir, url
        self._trusted = ssl.create_default_context()  # reading the certificates takes longer than a post

    def receivers(self, severity: Severity) -> tuple[str, ...]:  # noqa: ARG002  # the other end chooses by itself
        """Always the one."""
        return (self.name,)

    def send(self, message: OutgoingMessage, root: Mapping[str, str] | None) -> Mapping[str, str]:  # noqa: ARG002
        """Post it. Raises Later, Refused."""
        key = f"{message.origin}/{message.id}"
        try:
            answer = httpx.post(
                self._url,
                json=self._body(message),
                headers={"Idempotency-Key": key},
                timeout=ANSWER_TIMEOUT_S,
                verify=self._trusted,
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            # The address may be a secret; the words of these errors may hold it.
            raise Later(f"the webhook cannot be reached: {type(error).__name__}") from error
        status = answer.status_code
        if answer.is_success:
            return {}
        if status in (429, 503):
            raise Later(
                f"the webhook answers HTTP {status}", retry_after_s(answer.headers.get("retry-after"))
            )
        if status in (400, 413, 415, 422):
            raise Refused(f"HTTP {status}")
        raise Later(f"the webhook answers HTTP {status}")

    def _body(self, message: OutgoingMessage) -> dict[str, Any]:
        notice = message.notice
        body: dict[str, Any] = {
            "id": message.id,
            "run": message.run,
            "at": message.at,
            "severity": str(notice.severity),
            "wake": notice.wake,
            "text": notice.plain,
        }
        picture = self._run_dir / notice.picture
        if notice.picture and picture.is_file():
            data = base64.b64encode(picture.read_bytes()).decode()
            body["picture"] = {"name": picture.name, "title": notice.title, "data": data}
        return body
