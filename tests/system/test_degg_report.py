"""Reports of a run of optical modules and of each module: one document as page and as PDF, and records for programs."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fat.acceptance import writing
from fat.acceptance.finish import finish, finish_if_missed
from fat.degg.report import gather as gathering
from fat.degg.report.gather import RunResults, bucket, gather
from fat.degg.report.write import of_module, of_run, write_reports
from fat.record import is_recorded, write_record
from fat.report.chart import Chart
from fat.report.document import Cell, Document, Section, Table, Text
from fat.report.html import as_html
from fat.report.pdf import as_pdf


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory, degg_reported: Any) -> Path:
    made: Path = degg_reported.ended_run(tmp_path_factory.mktemp("reported"), 2, noisy=1)
    finish(made)
    return made


def text_of(page: Path) -> str:
    plain = re.sub(r"<style.*?</style>|<[^>]+>", " ", page.read_text(), flags=re.DOTALL)
    return " ".join(html.unescape(plain).split())


def test_the_runs_report_names_who_is_wrong_and_how(run_dir: Path, degg_reported: Any) -> None:
    said = text_of(run_dir / "report.html")
    assert "✘ FAIL: run 00001" in said
    assert "5 of 5 tasks done. 1 of 2 modules missed a goalpost: DEgg2021-3-101." in said
    assert "DEgg2021-3-101 UpperPmt: high dark rate. Dark rate: 9000 Hz at -40 °C, must be ≤ 2600" in said
    assert "DEgg2021-3-100 LowerPmt SQ0600 ✔ 1300 V ✔ 1700 Hz" in said
    assert "status_check_0: DEgg2021-3-100 has FPGA version 6, flashed again" in said
    assert "8 measurements are there; 0 were begun and have no result; 42 were not made." in said
    for fact in ("cold batch 7", "ada", degg_reported.PROVENANCE["source"], "c" * 64, "e" * 64):
        assert str(fact) in said
    page = (run_dir / "report.html").read_text()
    assert page.count("<svg") == 2
    assert "http" not in re.sub(r'(?s)<style.*?</style>|src="[^"]*"', "", page)


def test_each_module_has_a_report_and_a_record(run_dir: Path) -> None:
    folder = run_dir / "reports"
    serials = ("DEgg2021-3-100", "DEgg2021-3-101")
    assert {path.name for path in folder.iterdir()} == {
        f"{s}.{k}" for s in serials for k in ("html", "pdf", "json")
    }
    said = text_of(folder / "DEgg2021-3-100.html")
    assert "✔ PASS: DEgg2021-3-100 All goalposts that judged it are met." in said
    assert "LowerPmt SQ0600, UpperPmt SQ0601" in said
    record = json.loads((folder / "DEgg2021-3-101.json").read_text())
    assert record["verdict"] == "FAIL"
    assert {fault["fault"] for fault in record["faults"]} == {"high dark rate", "very high dark rate"}
    assert record["pmts"] == {"LowerPmt": "SQ0602", "UpperPmt": "SQ0603"}
    assert len(record["measurements"]) == 6
    assert record["provenance"]["operator"] == "ada"
    whole = json.loads((run_dir / "record.json").read_text())
    assert {serial: told["verdict"] for serial, told in whole["devices"].items()} == dict(
        zip(serials, ("PASS", "FAIL"), strict=True)
    )
    assert whole["completeness"] == {"good": 8, "missing_results": 0, "missing_measurements": 42}


def test_result_records_are_written_when_the_run_has_ended(run_dir: Path) -> None:
    (folder,) = (run_dir / "records").glob("run_*")
    assert folder.name == "run_0000000000000001"
    names = {path.name for path in folder.iterdir()}
    assert "degg-pmt_R5912-100-70_SQ0603_darknoise_dark-rate_00.json" in names
    assert "degg-pmt_R5912-100-70_SQ0600_gain_gain-curve_00_data.json" in names
    assert len(names) == 2 * 2 * (2 + 2)


def test_page_and_pdf_have_the_same_sections(run_dir: Path) -> None:
    for path in (run_dir / "report", run_dir / "reports" / "DEgg2021-3-100"):
        titles = re.findall(r"<h2 [^>]*>([^<]*)</h2>", path.with_suffix(".html").read_text())
        assert "Verdicts" in titles
        pdf = path.with_suffix(".pdf").read_bytes()
        assert pdf.startswith(b"%PDF-1.")
        # The outline of a PDF is written plainly.
        outline = [title.decode("latin-1") for title in re.findall(rb"/Title \(([^)]*)\)", pdf)]
        assert [title for title in outline if title in titles] == titles


def test_whatever_stands_in_it_a_document_can_be_written() -> None:
    nasty = "<script>alert(1)</script> 🚀 \u0000 ‮ " + "x" * 900
    rows = tuple((Cell(nasty, "FAIL", nasty), Cell("")) for _ in range(1))
    sections = (
        Section(
            "a", nasty[:60], (Text((nasty,), points=True), Table(("", nasty[:40]), rows), Table(("h",), ()))
        ),
    )
    document = Document("t", "k", "UNSET", nasty, (("fact", nasty),), sections, "w")
    assert b"<script>alert" not in as_html(document)
    assert as_pdf(document).startswith(b"%PDF-1.")


def test_a_record_that_a_report_has_added_to_is_still_the_journals(run_dir: Path) -> None:
    assert is_recorded(run_dir)
    before = (run_dir / "report.pdf").stat().st_mtime_ns
    finish_if_missed(run_dir)
    assert (run_dir / "report.pdf").stat().st_mtime_ns == before


def test_a_run_that_was_only_begun_has_a_report(tmp_path: Path, degg_reported: Any) -> None:
    made = degg_reported.ended_run(tmp_path, 1, tasks=0)
    assert write_record(made)["verdict"] == "UNSET"
    finish(made, draw_anew=False)
    said = text_of(made / "report.html")
    assert "· UNSET: run 00001" in said
    assert "0 of 5 tasks done. None of 1 modules missed a goalpost." in said
    assert not (made / "reports").exists()


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory, degg_reported: Any) -> Callable[[int], RunResults]:
    """What the report of a run with so many monitorings is made from."""

    def made(times: int) -> RunResults:
        root = tmp_path_factory.mktemp("monitored")
        run = degg_reported.ended_run(root, 2, noisy=1, monitorings=times)
        record = write_record(run)
        return gather(run, record, record["provenance"]["run_file"])

    return made


def test_what_is_drawn_and_told_does_not_grow_with_the_number_of_monitorings(
    monitored: Callable[[int], RunResults], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    graph_of = gathering.graph_of
    monkeypatch.setattr(
        gathering, "graph_of", lambda body, *about: made.append(body["meas_name"]) or graph_of(body, *about)
    )
    told = []
    for times in (7, 21):
        made.clear()
        results = monitored(times)
        documents = [of_run(results), *(of_module(results, device) for device in results.devices)]
        parts = [part for document in documents for section in document.sections for part in section.parts]
        panels = sum(len(part.panels) for part in parts if isinstance(part, Chart))
        rows = sum(len(part.rows) for part in parts if isinstance(part, Table))
        told.append((len(made), panels, rows))
    assert told[0] == told[1]
    assert made.count("monitoring-spe-peaks") == 4


def test_what_was_missed_once_of_many_times_is_shown_in_its_course(
    monitored: Callable[[int], RunResults],
) -> None:
    results = monitored(8)
    good, bad = results.devices
    page = as_html(of_module(results, bad)).decode()
    findings = page[page.index('id="findings"') : page.index('id="verdicts"')]
    assert "DEgg2021-3-101: spread of the peak" in findings
    assert "UpperPmt: worst 0.07, last 0.01" in findings
    assert ">missed</text>" in findings
    assert "<svg" not in as_html(of_module(results, good)).decode().split('id="verdicts"')[0]
    assert "within 7 of 8 times" in page
    assert "within 8 of 8 times, worst 0.016" in page
    overview = as_html(of_run(results)).decode()
    row = re.search(r"monitoring-spe-peak-pos-std<.*?</tr>", overview, re.DOTALL)
    assert row is not None
    assert re.findall(r'class="hidden">(PASS|FAIL)|</span> (\d)</td>', row[0]) == [("PASS", ""), ("", "1")]


def test_a_report_that_was_ended_while_it_was_written_is_written_again(
    tmp_path: Path, degg_reported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = degg_reported.ended_run(tmp_path, 2)

    def killed(done: int, _total: int, _text: str) -> None:
        if done == 1:
            raise KeyboardInterrupt

    write_record(made)
    with pytest.raises(KeyboardInterrupt):
        write_reports(made, progress=killed)
    assert {path.suffix for path in (made / "reports").iterdir()} == {".html", ".pdf", ".json"}
    assert len(list((made / "reports").iterdir())) == 3
    finish_if_missed(made)
    assert len(list((made / "reports").iterdir())) == 6
    assert (made / "report.html").exists()
    assert len(list((made / "records").glob("run_*"))) == 1


def test_people_are_told_how_far_a_report_is(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writing, "PLAIN_PERIOD_S", 0.0)
        finish(run_dir, quiet=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.strip() for line in err.splitlines()] == [
        "report: 0 of 4 written, next results of all tasks",
        "report: 0 of 4 written, next DEgg2021-3-100",
        "report: 1 of 4 written, next DEgg2021-3-101",
        "report: 2 of 4 written, next result records",
        "report: 3 of 4 written, next the run",
    ]


def test_temperatures_that_are_shown_as_one() -> None:
    assert [bucket(celsius) for celsius in (-43.0, -37.1, 19.0, None, float("nan"))] == [
        -40.0,
        -40.0,
        20.0,
        None,
        None,
    ]
