"""`stellwerk caldb remotes`: a table and JSON of what the remotes say of themselves."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from sim.caldb.commands import app
from sim.errors import AddressTaken


async def run(*arguments: str) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, app, ["remotes", *arguments])


async def test_the_remotes_of_a_bench_are_shown(remotes: Any, tmp_path: Path, monkeypatch: Any) -> None:
    await remotes.inject()
    endpoints = {"caldb.rest": remotes.rest, "caldb.remotes": remotes.addresses}
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "bench.json").write_text(json.dumps({"endpoints": endpoints}))
    bench = tmp_path / "bench.toml"
    bench.write_text(f'[bench]\nname = "b"\ndata_dir = "{data_dir}"\n')
    shown = await run(str(bench))
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert lines[0].split()[:3] == ["remote", "state", "requests"]
    assert [line.split()[0] for line in lines[1:]] == [f"MAX_WEB_DATA/DM/CAL_REMOTE_{n}" for n in (1, 2)]
    listed = tmp_path / "endpoints.json"
    listed.write_text(json.dumps(endpoints))
    first, second = json.loads((await run(str(listed), "--json")).output)
    assert (first["address"], first["state"], first["requests"]) == (
        remotes.addresses[0],
        "waiting on data",
        1,
    )
    assert (second["requests"], second["answered"], second["refused"]) == (0, 0, {})


async def test_a_remote_that_does_not_answer_is_named(remotes: Any) -> None:
    remotes.faults.switch_on("kill_remote", remote=2, seconds=60.0)
    shown = await run(*remotes.addresses, "--timeout", "0.3")
    assert shown.exit_code == 3
    assert f"{remotes.addresses[1]:<30}  no answer" in shown.output
    assert "waiting on data" in shown.output


async def test_a_range_of_ports_is_asked_as_a_whole(open_remotes: Any) -> None:
    # Thirty neighbouring ports, as the facility has them; where one is in use, the next range is tried.
    for first in range(42_000, 60_000, 100):
        try:
            async with open_remotes(30, first_remote_port=first) as bench:
                asked = f"tcp://127.0.0.1:{first}#{first + 29}"
                found = json.loads((await run(asked, "--json")).output)
                assert [one["address"] for one in found] == bench.addresses
                assert {one["state"] for one in found} == {"waiting on data"}
                client = bench.client(addresses=[asked])
                assert list(client.remotes.addresses) == bench.addresses
                return
        except AddressTaken:
            continue


async def test_files_that_name_no_remotes_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text("{}")
    (tmp_path / "list.json").write_text("[1]")
    for name, words in (
        ("none.json", "names no remotes"),
        ("list.json", "neither"),
        ("gone.toml", "is not there"),
    ):
        shown = await run(str(tmp_path / name))
        assert shown.exit_code == 2
        assert words in shown.output
    shown = await run("tcp://127.0.0.1:8044#8015")
    assert (shown.exit_code, "is no range of ports" in shown.output) == (2, True)
