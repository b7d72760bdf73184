"""The quick soak, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from fat.configs import shipped_bench


def test_the_quick_soak_passes_and_leaves_a_report(tmp_path: Path) -> None:
    bench = tmp_path / "soak.toml"
    text = Path(shipped_bench("soak")).read_text(encoding="utf-8")
    # Two modules: the suite shares this machine.
    bench.write_text(text.replace("modules = 4", "modules = 2").replace("runs/soak", str(tmp_path / "data")))
    command = [sys.executable, "-m", "fat", "soak", bench, "--quick", "--seed", "3", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"] == "PASS"
    assert found["module_trains"]["sent"] >= 2 * 150
    assert found["module_trains"]["unexplained"] == 0
    assert found["script"]
    page = Path(found["report"]).read_text(encoding="utf-8")
    assert page.count("data:image/png") == 2
    runs = list((tmp_path / "data/SPB/202601/p900001/raw").iterdir())
    assert 1 <= len(runs) <= 3
