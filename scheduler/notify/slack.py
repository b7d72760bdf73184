"""Messages to Slack through slack_sdk, from a thread that never holds the run up."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Final
from urllib.error import URLError

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from scheduler.journal import JournalRecord, read_journal
from scheduler.live import Progress
from scheduler.notify.config import SlackTable
from scheduler.notify.outbox import OUTBOX_NAME, Outbox, OutgoingMessage
from scheduler.notify.wording import say
from scheduler.state import EMPTY, RunState, apply

FIRST_BACKOFF_S: Final = 0.5
LONGEST_BACKOFF_S: Final = 30.0
ANSWER_TIMEOUT_S: Final = 10
log = structlog.get_logger("scheduler.slack")


class SlackNotifier:
    """A listener of the engine that tells Slack.

    Messages are written to the run's outbox at once and delivered by a thread, in order; trouble is retried with
    growing pauses. What is left at the end goes out when the run is taken up again.
    """

    def __init__(self, run_dir: Path, table: SlackTable, base_url: str, token: str) -> None:
        self._run_dir, self._table = run_dir, table
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._outbox = Outbox(run_dir / OUTBOX_NAME, self._wake.set)
        # Our own retries: the SDK's would block without a word, and know nothing of an outbox.
        self._client = WebClient(token, base_url=base_url, timeout=ANSWER_TIMEOUT_S, retry_handlers=[])
        self._thread = threading.Thread(target=self._deliver, name="slack", daemon=True)
        self.counters: Counter[str] = Counter()
        self._catch_up()
        self._thread.start()

    def event(self, record: JournalRecord, state: RunState) -> None:
        """Put what is to be said of a record into the outbox."""
        for number, (severity, text) in enumerate(say(record, state)):
            receivers = (self._table.channel, *(self._table.persons if severity == "warning" else ()))
            for receiver in receivers:
                identity = f"{record.seq}.{number}.{receiver}"
                self._outbox.put(OutgoingMessage(identity, severity, receiver, text))

    def progress(self, progress: Progress) -> None:
        """Progress is for the live page."""

    def _catch_up(self) -> None:
        """Say what a killed engine wrote into the journal and could not say."""
        state = EMPTY
        for record in read_journal(self._run_dir):
            state = apply(state, record)
            self.event(record, state)

    def close(self) -> str | None:
        """Deliver for a while longer, then stop. Returns a sentence when something is left or was refused."""
        deadline = time.monotonic() + self._table.drain_s
        while len(self._outbox) and self._thread.is_alive() and time.monotonic() < deadline:
            self._closing.wait(0.02)
        self._closing.set()
        self._wake.set()
        self._thread.join(ANSWER_TIMEOUT_S + 1)
        left, refused = len(self._outbox), self._outbox.given_up
        if left:
            return f"{left} Slack messages could not be delivered; they wait in {self._run_dir / OUTBOX_NAME}"
        return f"Slack refused {refused} messages; see {self._run_dir / OUTBOX_NAME}" if refused else None

    def _deliver(self) -> None:
        pause_s = FIRST_BACKOFF_S
        while not self._closing.is_set():
            message = self._outbox.next()
            if message is None:
                self._wake.wait()
                self._wake.clear()
                continue
            after_s = self._send(message)
            if after_s is None:
                pause_s = FIRST_BACKOFF_S
                continue
            self.counters["retries"] += 1
            self._closing.wait(max(pause_s, after_s))
            pause_s = min(2 * pause_s, LONGEST_BACKOFF_S)

    def _send(self, message: OutgoingMessage) -> float | None:
        """Try once. None when the message is settled, else the least pause before the next try, seconds."""
        try:
            self._client.chat_postMessage(channel=message.receiver, text=message.text)
        except SlackApiError as error:
            return self._judge(message, error)
        except (SlackClientError, URLError, OSError) as error:
            log.warning("Slack cannot be reached", reason=str(error))
            return 0.0
        self._outbox.delivered(message)
        self.counters["delivered"] += 1
        return None

    def _judge(self, message: OutgoingMessage, error: SlackApiError) -> float | None:
        status = int(getattr(error.response, "status_code", 200))
        if status == 429:
            headers = error.response.headers or {}
            return float(headers.get("Retry-After", headers.get("retry-after", 1)))
        if status >= 500:
            return 0.0
        reason = str(error.response.get("error", error))
        log.warning("Slack refused a message", reason=reason)
        self._outbox.give_up(message, reason)
        return None
