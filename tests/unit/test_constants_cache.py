"""The cache of answers and files: whole, checked, bounded, shared; and never a reason to stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.constants import ConstantsCache, KeptAnswers
from pipeline.constants.rest import Page
from pipeline.errors import CatalogueUnreachable

HOUR = 3600.0


class Sandbox:
    """A cache whose remarks and time a test sees."""

    def __init__(self, root: Path, most_bytes: int = 1 << 20) -> None:
        self.remarks: list[str] = []
        self.now_s = 1_000_000.0
        self.cache = ConstantsCache(root / "cache", most_bytes, self.remarks.append, lambda: self.now_s)

    def content(self, question: dict[str, Any]) -> bytes | None:
        found = self.cache.answer(question)
        return None if found is None else found[0]


@pytest.fixture
def box(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


def objects(box: Sandbox) -> list[Path]:
    return sorted((box.cache.root / "objects").glob("*/*"))


def age(box: Sandbox, question: dict[str, Any], seconds: float) -> None:
    for path in (box.cache.root / "entries").iterdir():
        if json.loads(path.read_text())["question"] == question:
            os.utime(path, (1_000_000 - seconds, 1_000_000 - seconds))


def test_what_is_kept_comes_back_for_exactly_this_question(box: Sandbox) -> None:
    box.cache.keep({"path": "a", "at": 1}, b"one")
    box.cache.keep({"path": "a", "at": 2}, b"two")
    assert box.content({"at": 1, "path": "a"}) == b"one", "the order of names is no difference"
    assert box.content({"path": "a", "at": 3}) is None
    box.cache.keep({"path": "a", "at": 1}, b"new")
    assert box.content({"path": "a", "at": 1}) == b"new"
    assert len(objects(box)) == 2, "the content that nobody names is gone"
    assert list((box.cache.root / "unfinished").iterdir()) == []
    assert box.remarks == []


def test_equal_contents_are_kept_once(box: Sandbox) -> None:
    for number in range(5):
        box.cache.keep({"n": number}, b"same")
    assert len(objects(box)) == 1
    box.cache.keep({"n": 0}, b"other")
    assert box.content({"n": 4}) == b"same", "others still name it"


@pytest.mark.parametrize(
    "damage",
    [lambda p: p.write_bytes(b"two"), lambda p: p.write_bytes(b""), lambda p: p.unlink()],
    ids=["changed", "cut", "gone"],
)
def test_a_damaged_content_is_dropped_and_said(box: Sandbox, damage: Any) -> None:
    box.cache.keep({"path": "conditions/7"}, b"one")
    damage(objects(box)[0])
    assert box.content({"path": "conditions/7"}) is None
    assert "conditions/7" in box.remarks[0]
    assert "dropped" in box.remarks[0]
    assert box.cache.entries() == []
    box.cache.keep({"path": "conditions/7"}, b"one")
    assert box.content({"path": "conditions/7"}) == b"one"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"question": {"n": 2}}', "[" * 100_000])
def test_a_damaged_entry_is_dropped_and_said(box: Sandbox, text: str) -> None:
    box.cache.keep({"n": 1}, b"one")
    next((box.cache.root / "entries").iterdir()).write_text(text)
    assert box.content({"n": 1}) is None
    assert len(box.remarks) == 1
    assert box.cache.entries() == []


def test_what_is_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    box = Sandbox(tmp_path, most_bytes=3000)
    for name in "abc":
        box.cache.keep({"n": name}, name.encode() * 1000)
        age(box, {"n": name}, HOUR * (4 - "abc".index(name)))
    assert box.content({"n": "a"}) is not None, "used: b is the oldest now"
    box.cache.keep({"n": "d"}, b"d" * 1000)
    assert [box.content({"n": n}) is not None for n in "abcd"] == [True, False, True, True]
    box.cache.keep({"n": "e"}, b"e" * 3001)
    assert box.content({"n": "e"}) is None
    assert "larger than the cache" in box.remarks[-1]
    assert sum(path.stat().st_size for path in objects(box)) <= 3000


def test_files_are_copied_once_and_outlive_their_source(box: Sandbox, tmp_path: Path) -> None:
    source = tmp_path / "cal.1.h5"
    source.write_bytes(b"x" * 5000)
    question = {"file": "cal.1.h5"}
    box.cache.keep_file(question, source)
    inode = objects(box)[0].stat().st_ino
    box.cache.keep_file(question, source)
    assert objects(box)[0].stat().st_ino == inode, "the same file is not copied again"
    source.unlink()
    with box.cache.file(question) as kept:
        assert kept is not None
        box.cache.clear()
        assert kept.exists() is False or kept.read_bytes() == b"x" * 5000
    source.write_bytes(b"y" * 5000)
    box.cache.keep_file(question, source)
    with box.cache.file(question) as kept:
        assert kept is not None
        assert kept.read_bytes() == b"y" * 5000
    objects(box)[0].write_bytes(b"z" * 5000)
    with box.cache.file(question) as kept:
        assert kept is None
    assert "not what was kept" in box.remarks[-1]


def test_a_file_that_is_read_stays_while_others_remove_it(box: Sandbox, tmp_path: Path) -> None:
    source = tmp_path / "cal.1.h5"
    source.write_bytes(b"x" * 5000)
    box.cache.keep_file({"file": "f"}, source)
    with box.cache.file({"file": "f"}) as kept:
        box.cache.most_bytes = 10
        box.cache.keep({"n": 1}, b"pushes it")
        assert objects(box)[0].read_bytes() == b"pushes it"
        assert len(objects(box)) == 1
        assert kept is not None
        assert kept.read_bytes() == b"x" * 5000
    assert list((box.cache.root / "unfinished").iterdir()) == []


def test_a_folder_that_cannot_be_is_said_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    box = Sandbox(tmp_path)
    box.cache.keep({"path": "detectors"}, b"one")
    assert box.content({"path": "detectors"}) is None
    assert "could not be kept" in box.remarks[0]


def test_leftovers_of_killed_processes_go(box: Sandbox) -> None:
    box.cache.keep({"n": 1}, b"one")
    left = box.cache.root / "unfinished" / "1-dead"
    left.write_bytes(b"half")
    fresh = box.cache.root / "unfinished" / "2-alive"
    fresh.write_bytes(b"half")
    os.utime(left, (0, 0))
    box.cache.keep({"n": 2}, b"two")
    assert not left.exists()
    assert fresh.exists()


WRITER = """
import sys
from pathlib import Path
from pipeline.constants import ConstantsCache
cache = ConstantsCache(Path(sys.argv[1]), 40_000, lambda sentence: print(sentence))
for turn in range(60):
    n = turn % 7
    cache.keep({"n": n}, bytes([n]) * 9000)
    found = cache.answer({"n": (turn * 3) % 7})
    assert found is None or found[0] == bytes([(turn * 3) % 7]) * 9000
"""


def test_processes_share_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert "not what was kept" not in "".join(told)
    assert sum(path.stat().st_size for path in (folder / "objects").glob("*/*")) <= 40_000
    assert list((folder / "unfinished").iterdir()) == []


class Silent:
    """A catalogue that answers until it is told not to."""

    url = "http://catalogue"

    def __init__(self) -> None:
        self.silent = False
        self.asked = 0

    def get(self, path: str, *, body: Any = None, **query: object) -> Any:
        self.asked += 1
        if self.silent:
            raise CatalogueUnreachable(self.url, "connection refused")
        return [path, body, sorted(query)]

    def find(self, path: str, **query: object) -> Any | None:
        return None if path == "nothing" and not self.silent else self.get(path, **query)

    def post(self, path: str, body: Any) -> Any:
        return self.get(path)

    def page(self, path: str, number: int, size: int, **query: object) -> Page:
        return Page(self.get(path), 1, 1)


def test_a_silent_catalogue_is_answered_for_while_it_is_not_too_long_ago(box: Sandbox) -> None:
    rest, remarks = Silent(), []
    asking = KeptAnswers(rest, box.cache, HOUR, remarks.append, lambda: box.now_s)
    assert asking.get("a", body={"v": 1}, event_at=1) == ["a", {"v": 1}, ["event_at"]]
    assert asking.find("nothing") is None
    assert asking.oldest is None
    rest.silent = True
    box.now_s += HOUR / 2
    assert asking.get("a", body={"v": 1}, event_at="1") == ["a", {"v": 1}, ["event_at"]]
    assert asking.find("nothing") is None, "that there was nothing is an answer, too"
    assert asking.oldest is not None
    assert "connection refused" in remarks[0]
    for body, at in (({"v": 2}, 1), ({"v": 1}, 2)):
        with pytest.raises(CatalogueUnreachable, match="no answer to this question either"):
            asking.get("a", body=body, event_at=at)
    box.now_s += HOUR
    with pytest.raises(CatalogueUnreachable, match=r"1\.5 h old and may be 1\.0 h"):
        asking.get("a", body={"v": 1}, event_at=1)


def test_what_changes_the_catalogue_never_comes_from_the_cache(box: Sandbox) -> None:
    rest = Silent()
    asking = KeptAnswers(rest, box.cache, HOUR, now_s=lambda: box.now_s)
    asking.get("a")
    rest.silent = True
    with pytest.raises(CatalogueUnreachable):
        asking.post("a", {})
    with pytest.raises(CatalogueUnreachable):
        asking.page("a", 1, 10)


def test_a_silent_catalogue_is_not_waited_for_at_every_question(box: Sandbox) -> None:
    rest = Silent()
    asking = KeptAnswers(rest, box.cache, HOUR, now_s=lambda: box.now_s)
    for path in "abc":
        asking.get(path)
    rest.silent = True
    for path in "abc":
        asking.get(path)
    assert rest.asked == 4
