"""What is promised about the distribution itself."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / ".ci/locks").glob("*.txt"))


@pytest.mark.parametrize("name", ["sim", "pipeline", "scheduler", "fat"])
def test_each_top_level_name_is_ours(name: str) -> None:
    module = __import__(name)
    assert Path(module.__file__ or "").is_relative_to(ROOT)
    assert name not in {k for k, owners in packages_distributions().items() if owners != ["stellwerk"]}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_hold_versions_and_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"https?://|file:|index-url|find-links", text)
    pinned = re.findall(r"^([A-Za-z0-9_.-]+)==", text, flags=re.MULTILINE)
    assert pinned
    assert text.count("--hash=sha256:") >= len(pinned)


def test_the_run_lock_has_no_test_package() -> None:
    assert not re.search(
        r"^(pytest|hypothesis|playwright)", (ROOT / ".ci/locks/run.txt").read_text(), re.MULTILINE
    )


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / ".ci/locks/run.txt").read_text(), re.MULTILINE))
    wanted = {re.split(r"[><=\[]", name)[0].lower().replace("_", "-") for name in project["dependencies"]}
    assert wanted <= locked


@pytest.mark.parametrize("group", ["stellwerk.config", "stellwerk.commands", "stellwerk.devices"])
def test_every_entry_point_loads(group: str) -> None:
    points = list(entry_points(group=group))
    assert points
    for point in points:
        assert point.load() is not None


def test_the_readme_quotes_the_example_that_is_run() -> None:
    example = (ROOT / "tests/readme_example/test_my_detector.py").read_text()
    body = example.split('"""\n', 1)[1].strip()
    assert body in (ROOT / "README.md").read_text()
