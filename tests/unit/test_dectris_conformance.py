from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from sim.commands import app
from sim.conformance_command import clients
from sim.dectris.conformance import ConformanceLog


async def test_a_full_log_moves_aside_and_a_missing_folder_stops_nothing(tmp_path: Path) -> None:
    log = ConformanceLog(tmp_path / "dcu" / "conformance.jsonl", lambda: 7, max_bytes=2000)
    for number in range(40):
        log._add({"client": "a", "event": f"event {number}"})
        log.close()
    assert [path.name for path in log.files()] == ["conformance.1.jsonl", "conformance.jsonl"]
    assert all(path.stat().st_size <= 2000 for path in log.files())
    nowhere = ConformanceLog(Path("/dev/null/dcu/conformance.jsonl"), lambda: 7)
    nowhere._lines.append("{}\n")
    nowhere.close()
    assert nowhere.lost == 1


def test_polling_is_counted_from_the_few_lines_that_it_leaves() -> None:
    line = {"client": "a", "agent": "b", "method": "GET", "path": "/x", "status": 200}
    conduct = clients([line, line | {"times": 2}, line | {"times": 10}, line | {"times": 100}])["a b"]
    assert (conduct.requests, conduct.refused) == (100, 0)


def test_the_command_shows_clients_and_their_remarks(tmp_path: Path) -> None:
    bench = tmp_path / "bench.toml"
    bench.write_text(f'[bench]\nname = "x"\ndata_dir = "{tmp_path}"\n')
    folder = tmp_path / "dcu"
    folder.mkdir()
    put = {"client": "10.0.0.1", "agent": "", "method": "PUT", "path": "/detector/api/1.8.0/config/nimages"}
    lines = [put | {"body": "{value: string}", "status": 400, "remarks": ["must be uint"]}]
    (folder / "conformance.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"cut')
    shown = CliRunner().invoke(app, ["conformance", str(bench), "dcu", "--requests"])
    assert shown.exit_code == 0, shown.output
    assert "10.0.0.1 (no user agent): at least 1 requests, 1 refused" in shown.output
    assert "PUT /detector/api/1.8.0/config/nimages {value: string} -> 400" in shown.output
    assert "must be uint" in shown.output
    assert CliRunner().invoke(app, ["conformance", str(bench), "none"]).exit_code == 2
    assert CliRunner().invoke(app, ["conformance", str(tmp_path / "no.toml")]).exit_code == 2
