"""What records of backups do to the state of a run."""

from __future__ import annotations

from dataclasses import replace

from scheduler.backup.seen import Archive, BackupSeen, repointed, without
from scheduler.journal import JournalRecord
from scheduler.state import RunState


def backup_finished(state: RunState, record: JournalRecord) -> RunState:
    """An archive was made and read back."""
    data = record.data
    to = data.get("to", "")
    seen = BackupSeen(data["verified"], data["file"], data["sha256"], data["files"])
    archive = Archive(to, data["file"], data["sha256"], data["files"], record.at)
    after = _seen_after(state, data["task"], to, seen, data.get("records", record.seq))
    return replace(after, archives=(*state.archives, archive))


def backup_failed(state: RunState, record: JournalRecord) -> RunState:
    """There is none after this task."""
    data = record.data
    seen = BackupSeen(False, error=data["error"])
    return _seen_after(state, data["task"], data.get("to", ""), seen, data.get("records", record.seq))


def _seen_after(state: RunState, name: str, to: str, seen: BackupSeen, records: int) -> RunState:
    """An archive holds all *records* up to its beginning: it makes up for every earlier one that is lacking there."""
    tasks = {**state.tasks, name: state.tasks[name]}  # raises for a task that there is not
    for other, task in state.tasks.items():
        if other == name or task.saved.lacks(to, records):
            tasks[other] = replace(task, saved=task.saved.after(to, seen))
    return replace(state, tasks=tasks)


def backup_pruned(state: RunState, record: JournalRecord) -> RunState:
    """Old archives are gone."""
    to, files = record.data["to"], record.data["files"]
    left = without(state.archives, to, files)
    *_, newest = (archive for archive in left if archive.to == to)  # ValueError if none is left
    tasks = {
        name: replace(task, saved=repointed(task.saved, to, files, newest))
        for name, task in state.tasks.items()
    }
    return replace(state, archives=left, tasks=tasks)
