"""The report of an acceptance run, in any state, in Chromium."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fat.acceptance.finish import finish
from fat.acceptance.launch import resume
from fat.limits import Limit, load_limits
from fat.measurement import Measurement
from fat.report import data
from scheduler import Plan, Task, create_run, resumable
from scheduler.journal import Journal

CHROMIUM = shutil.which("chromium")
chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Debian's chromium is not installed: run make test as root"
)
LIMIT = {"noise": Limit("ADU", "a reason", at_least=1.0, at_most=3.0)}
PLAN = Plan(
    "report",
    (
        Task("darks", "Darks", "scheduler.task:TaskResult"),
        Task("light", "Light", "scheduler.task:TaskResult"),
    ),
    parameters={"bench": "test", "bench_text": "", "seed": 1},
)


def make_run(root: Path, events: list[tuple[str, dict[str, Any]]]) -> Path:
    run_dir = create_run(root, PLAN)
    with Journal(run_dir) as journal:
        for event, fields in events:
            journal.append(event, fields, 0)
    return run_dir


FINISHED = ("run_finished", {"verdict": "PASS"})


def started() -> tuple[str, dict[str, Any]]:
    return "run_started", {
        "attempt": 1,
        "host": "h",
        "pid": 1,
        "version": "0",
        "resumed": False,
    }


def measured(value: float) -> list[tuple[str, dict[str, Any]]]:
    taken = Measurement("noise", "ADU", "Noise, median").taken(value, LIMIT)
    outputs = {"measurements": [taken.as_json()]}
    return [
        ("task_started", {"task": "darks", "attempt": 1}),
        (
            "task_finished",
            {"task": "darks", "attempt": 1, "verdict": str(taken.verdict), "outputs": outputs, "wall_s": 2.0},
        ),
    ]


def test_limits_judge_and_no_number_never_passes() -> None:
    noise = Measurement("noise", "ADU", "Noise")
    assert [str(noise.taken(v, LIMIT).verdict) for v in (0.9, 1.0, 3.0, 3.1)] == [
        "FAIL",
        "PASS",
        "PASS",
        "FAIL",
    ]
    assert str(noise.taken(float("nan"), LIMIT).verdict) == "FAIL"
    assert str(noise.taken(float("inf"), {}).verdict) == "FAIL"
    assert str(noise.taken(1.0, {}).verdict) == "UNSET"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[a]\nunit = "V"\nreason = "r"\nat_mots = 1\n',
            "limits.toml:4: unknown key 'at_mots'; did you mean 'at_most'?",
        ),
        ('[a]\nunit = "V"\nreason = "r"\n', "limits.toml:1: a has no limit"),
        ('[a]\nunit = "V"\nat_most = 1\n', "limits.toml:1: a lacks 'reason'"),
        (
            '[a]\nunit = "V"\nreason = "r"\nat_most = "x"\n',
            "limits.toml:4: at_most must be a number, not 'x'",
        ),
        ("[a\n", "limits.toml: cannot be read"),
    ],
)
def test_mistakes_in_limit_sets_are_sentences(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(text)
    with pytest.raises(Exception, match="limits") as rejected:
        load_limits(path)
    assert any(said in str(mistake) for mistake in rejected.value.mistakes)  # type: ignore[attr-defined]


def test_a_run_that_has_done_nothing_has_a_report(tmp_path: Path) -> None:
    text = finish(make_run(tmp_path, [])).read_text()
    assert "Nothing has been measured yet" in text
    assert "has not run" in text


def test_an_error_and_a_fail_stand_in_the_report(tmp_path: Path) -> None:
    failed = {"task": "light", "attempt": 1, "error": "the <lamp> is broken", "traceback": "…"}
    events = [
        started(),
        *measured(9.0),
        ("task_started", {"task": "light", "attempt": 1}),
        ("task_failed", failed),
    ]
    text = finish(make_run(tmp_path, events)).read_text()
    assert "✘" in text
    assert "outside its limit: Noise, median" in text
    assert "the &lt;lamp&gt; is broken" in text


def test_a_figure_is_drawn_again_when_its_arrays_are_new_or_somebody_asks(tmp_path: Path) -> None:
    run_dir, image = make_run(tmp_path, []), np.ones((8, 8), np.uint64)
    data.save(run_dir, "dcu", sum=image, masked=image > 1)
    drawn = finish(run_dir).read_text().count("base64,iVBOR")
    (run_dir / "figures/dcu.png").write_bytes(b"as it was drawn before")

    def figures(*, draw_anew: bool) -> int:
        return finish(run_dir, draw_anew=draw_anew).read_text().count("base64,iVBOR")

    assert figures(draw_anew=False) == drawn - 1, "the one that lies there is taken"
    data.save(run_dir, "dcu", sum=image, masked=image > 1)
    assert figures(draw_anew=False) == drawn
    (run_dir / "figures/dcu.png").write_bytes(b"as it was drawn before")
    assert figures(draw_anew=True) == drawn


def test_a_run_that_was_killed_after_its_last_journal_line_gets_its_record_when_it_is_resumed(
    tmp_path: Path,
) -> None:
    run_dir = make_run(tmp_path, [started()])
    finish(run_dir)
    with Journal(run_dir) as journal:
        for event, fields in [*measured(2.0), FINISHED]:
            journal.append(event, fields, 0)
    assert not resumable(run_dir)
    assert resume(run_dir) == 0
    record = json.loads((run_dir / "record.json").read_text())
    assert record["measurements"][0][1]["value"] == 2.0
    assert "Noise, median" in (run_dir / "report.html").read_text()
    written = (run_dir / "record.json").stat().st_mtime_ns
    assert resume(run_dir) == 0
    assert (run_dir / "record.json").stat().st_mtime_ns == written, "it was written once more"


@chromium
@pytest.mark.chromium
def test_in_chromium_the_report_is_complete(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    run_dir = make_run(tmp_path, [started(), *measured(2.0)])
    rng = np.random.default_rng(1)
    maps = rng.normal(100, 3, (1, 3, 512, 128)).astype(np.float32)
    data.save(run_dir, "darks", offset=maps, noise=maps / 40, modules=np.array([0]))
    edges = np.linspace(-1, 10, 50)
    counts = rng.integers(1, 1000, (3, 49))
    data.save(
        run_dir, "light", mean_image=rng.gamma(1, 10, (1, 512, 128)).astype(np.float32), modules=np.array([0]),
        edges=edges, counts=counts, fine_edges=edges, fine_counts=counts[0],
    )  # fmt: skip
    image = rng.poisson(3, (64, 64)).astype(np.uint64)
    data.save(run_dir, "dcu", sum=image, masked=image > 8)
    report = finish(run_dir)

    said: list[str] = []
    asked: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM)
        tab = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
        tab.on("console", lambda message: said.append(message.text))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(report.as_uri())
        assert tab.locator("#verdicts + div tbody tr").count() == 1
        assert tab.locator("#verdicts + div tbody .bullet b").count() == 1
        widths = tab.eval_on_selector_all("img", "images => images.map(image => image.naturalWidth)")
        assert len(widths) == 8
        assert min(widths) > 300
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        browser.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
