"""The notifiers that a bench file asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scheduler.config import SchedulerTable
from scheduler.journal import Journal
from scheduler.notify.notice import Messenger
from scheduler.notify.notifier import Notifier
from scheduler.notify.secret import read_secret


@dataclass(frozen=True, slots=True)
class Address:
    """A Slack to use where the bench file names none."""

    base_url: str
    token: str


@dataclass(frozen=True, slots=True)
class Notifiers:
    """All ways to people that a run has."""

    listeners: tuple[Notifier, ...]
    silent: tuple[str, ...]
    """Sentences: who is not told although the bench file wants it."""
    waiting: tuple[str, ...]
    """Sentences: what earlier engines could not deliver."""

    def deliver_left(self, run_dir: Path) -> list[str]:
        """Send what an ended run could not say, as `close`. Raises JournalBusy while an engine carries the run out."""
        with Journal(run_dir):
            for notifier in self.listeners:
                notifier.catch_up()
            return self.close()

    def close(self) -> list[str]:
        """End all of them, together; sentences about what is left."""
        for notifier in self.listeners:
            notifier.finish()
        return [sentence for notifier in self.listeners if (sentence := notifier.close())]


def notifiers_of(run_dir: Path, table: SchedulerTable, own_slack: Address | None = None) -> Notifiers:
    """The notifiers of a run; nothing is sent before its engine has written something."""
    messengers, silent = messengers_of(run_dir, table, own_slack)
    found = [Notifier(run_dir, messenger, drain_s) for messenger, drain_s in messengers]
    names = [messenger.name for messenger, _ in messengers]
    owed = [(name, notifier.owed()) for name, notifier in zip(names, found, strict=True)]
    waiting = [f"{count} messages by {name} wait from before" for name, count in owed if count]
    return Notifiers(tuple(found), tuple(silent), tuple(waiting))


def messengers_of(
    run_dir: Path, table: SchedulerTable, own_slack: Address | None = None
) -> tuple[list[tuple[Messenger, float]], list[str]]:
    """The messengers that a bench file asks for, with how long each end waits, s; sentences about silent ones."""
    found: list[tuple[Messenger, float]] = []
    silent: list[str] = []
    for what, build in (("Slack", _slack), ("E-mail", _email), ("The webhook", _webhook)):
        try:
            made = build(run_dir, table, own_slack)
        except LookupError as error:
            silent.append(f"{what} is not told: {error.args[0]}")
            continue
        if made is not None:
            found.append(made)
    return found, silent


def _slack(run_dir: Path, table: SchedulerTable, own: Address | None) -> tuple[Messenger, float] | None:
    slack = table.slack
    if slack.base_url is None and own is None:
        return None
    from scheduler.notify.slack import SlackMessenger

    if slack.base_url is None and own is not None:
        return SlackMessenger(run_dir, slack, own.base_url, own.token), slack.drain_s
    token = read_secret(slack.token_variable, slack.token_file)
    return SlackMessenger(run_dir, slack, str(slack.base_url), token), slack.drain_s


def _email(run_dir: Path, table: SchedulerTable, _: Address | None) -> tuple[Messenger, float] | None:
    email = table.email
    if email.host is None:
        return None
    from scheduler.notify.mail import EmailMessenger

    password = None if email.user is None else read_secret(email.password_variable, email.password_file)
    return EmailMessenger(run_dir, email, email.host, password), email.drain_s


def _webhook(run_dir: Path, table: SchedulerTable, _: Address | None) -> tuple[Messenger, float] | None:
    hook = table.webhook
    if hook.url is None and hook.url_variable is None and hook.url_file is None:
        return None
    from scheduler.notify.webhook import WebhookMessenger

    url = hook.url or read_secret(hook.url_variable, hook.url_file)
    return WebhookMessenger(run_dir, url), hook.drain_s
