"""E-mail over SMTP."""

from __future__ import annotations

import hashlib
import mimetypes
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Final

from scheduler.notify.config import EmailTable
from scheduler.notify.notice import ANSWER_TIMEOUT_S, Later, OutgoingMessage, Refused, Severity

SUBJECT_CHARACTERS: Final = 100


class EmailMessenger:
    """Sends a letter for each message. One that is sent again bears the same Message-ID."""

    name = "email"

    def __init__(self, run_dir: Path, table: EmailTable, host: str, password: str | None) -> None:
        self._run_dir, self._table, self._host, self._password = run_dir, table, host, password
        self._trusted = ssl.create_default_context()

    def receivers(self, severity: Severity) -> tuple[str, ...]:
        """Who gets everything, then persons."""
        return tuple(dict.fromkeys((*self._table.everything_to, *self._table.persons(severity))))

    def send(self, message: OutgoingMessage, root: Mapping[str, str] | None) -> Mapping[str, str]:
        """Send it as a letter. Raises Later, Refused."""
        letter = self._letter(message, root)
        try:
            with self._server() as server:
                server.send_message(letter)
        except smtplib.SMTPRecipientsRefused as error:
            code, said = error.recipients[message.receiver]
            raise Later(f"{code} {_text(said)}", receiver_only=True) from error
        except smtplib.SMTPDataError as error:
            reason = f"{error.smtp_code} {_text(error.smtp_error)}"
            raise (Refused(reason) if error.smtp_code >= 500 else Later(reason)) from error
        except smtplib.SMTPResponseException as error:
            raise Later(f"{error.smtp_code} {_text(error.smtp_error)}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise Later(f"{self._host} cannot be reached: {error}") from error
        return {"message_id": str(letter["Message-ID"])}

    def _server(self) -> smtplib.SMTP:
        table, context = self._table, self._trusted
        server: smtplib.SMTP
        if table.security == "tls":
            server = smtplib.SMTP_SSL(self._host, table.port, timeout=ANSWER_TIMEOUT_S, context=context)
        else:
            server = smtplib.SMTP(self._host, table.port, timeout=ANSWER_TIMEOUT_S)
        try:
            if table.security == "starttls":
                server.starttls(context=context)
            if table.user is not None:
                server.login(table.user, self._password or "")
        except BaseException:
            server.close()
            raise
        return server

    def _letter(self, message: OutgoingMessage, root: Mapping[str, str] | None) -> EmailMessage:
        notice, letter = message.notice, EmailMessage()
        first = " ".join(notice.plain.splitlines()[:1])[:SUBJECT_CHARACTERS]
        letter["Subject"] = f"[run {message.run}] {notice.severity}: {first}"
        letter["From"], letter["To"] = self._table.sender, message.receiver
        letter["Date"] = formatdate(message.at, localtime=True)
        name = hashlib.sha256(f"{message.origin}/{message.id}".encode()).hexdigest()[:32]
        letter["Message-ID"] = f"<{name}@stellwerk>"
        if root is not None:
            letter["In-Reply-To"] = letter["References"] = root["message_id"]
        if notice.severity is Severity.CRITICAL or notice.wake:
            letter["Importance"] = "high"
        picture = self._run_dir / notice.picture
        gone = bool(notice.picture) and not picture.is_file()
        letter.set_content(notice.plain + (f"\n(the picture {picture.name} is gone)" if gone else ""))
        if notice.picture and not gone:
            kind = mimetypes.guess_type(picture.name)[0] or "application/octet-stream"
            main, _, sub = kind.partition("/")
            letter.add_attachment(picture.read_bytes(), main, sub, filename=notice.title or picture.name)
        return letter


def _text(reason: bytes | str) -> str:
    return reason.decode(errors="replace") if isinstance(reason, bytes) else reason
