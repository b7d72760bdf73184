"""Slack through slack_sdk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from scheduler.notify.config import SlackTable
from scheduler.notify.notice import ANSWER_TIMEOUT_S, Later, Notice, OutgoingMessage, Refused, Severity
from scheduler.notify.retry_after import retry_after_s

EVERYBODY: Final = "<!channel>"
"""The form that notifies everybody through the Web API (api.slack.com, formatting text)."""
NEVER: Final = frozenset(
    {
        "invalid_arguments",
        "invalid_blocks",
        "message_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
    }
)
"""Errors of a message as such (api.slack.com, chat.postMessage)."""
PASSING: Final = frozenset(
    {"fatal_error", "internal_error", "ratelimited", "rate_limited", "request_timeout", "service_unavailable"}
)
"""Errors of Slack itself. All others (`channel_not_found`, `not_in_channel`, `invalid_auth` …) a person can mend."""


class SlackMessenger:
    """Posts to one channel, in a thread for each run, and to persons directly."""

    name = "slack"

    def __init__(self, run_dir: Path, table: SlackTable, base_url: str, token: str) -> None:
        self._run_dir, self._table = run_dir, table
        # Our own retries: the SDK's would block without a word, and know nothing of an outbox.
        self._client = WebClient(token, base_url=base_url, timeout=int(ANSWER_TIMEOUT_S), retry_handlers=[])

    def receivers(self, severity: Severity) -> tuple[str, ...]:
        """The channel, then persons."""
        return (self._table.channel, *self._table.persons(severity))

    def send(self, message: OutgoingMessage, root: Mapping[str, str] | None) -> Mapping[str, str]:
        """Post it, or upload its picture. Raises Later, Refused."""
        try:
            return self._post(message, root)
        except SlackApiError as error:
            raise _judged(error) from error
        except (SlackClientError, URLError, OSError) as error:
            raise Later(f"Slack cannot be reached: {error}") from error

    def _post(self, message: OutgoingMessage, root: Mapping[str, str] | None) -> Mapping[str, str]:
        notice, receiver = message.notice, message.receiver
        in_channel = receiver == self._table.channel
        # A mention in a thread does not notify: whoever must wake is called in the channel itself.
        thread = root["ts"] if root is not None and in_channel and not notice.wake else None
        text = _formatted(notice, call=in_channel)
        if notice.picture:
            picture = self._run_dir / notice.picture
            if not picture.is_file():
                text += f"\n(the picture {picture.name} is gone)"
            elif in_channel:
                self._client.files_upload_v2(
                    # Uploads want the channel's id, which the first answer has told, not its name.
                    channel=root["channel"] if root is not None else receiver,
                    file=str(picture),
                    filename=picture.name,
                    title=notice.title or picture.name,
                    initial_comment=text,
                    thread_ts=thread,
                )
                return {}
            else:
                text += f"\n(a picture is in {self._table.channel})"
        broadcast = thread is not None and notice.severity is Severity.WARNING and not notice.trace
        answer = self._client.chat_postMessage(
            channel=receiver, text=text, thread_ts=thread, reply_broadcast=broadcast or None
        )
        return {"ts": str(answer["ts"]), "channel": str(answer["channel"])}


def _formatted(notice: Notice, *, call: bool) -> str:
    """The text in Slack's markup; nothing in it can call anybody (api.slack.com, escaping text)."""
    text = notice.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if notice.trace:
        text = f"```{text.replace('```', chr(39) * 3)}```"
    return f"{EVERYBODY} - {text}" if notice.wake and call else text


def _judged(error: SlackApiError) -> Later | Refused:
    status = int(getattr(error.response, "status_code", 200))
    if status == 429:
        headers = {str(key).lower(): value for key, value in (error.response.headers or {}).items()}
        return Later("Slack asks for patience", retry_after_s(headers.get("retry-after")))
    if status >= 500:
        return Later(f"Slack answers HTTP {status}")
    reason = str(error.response.get("error", error))
    if reason in NEVER:
        return Refused(reason)
    return Later(f"Slack says {reason}", receiver_only=reason not in PASSING)
