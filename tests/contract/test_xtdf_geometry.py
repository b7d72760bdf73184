"""Our rings are round for others: our pixel positions are those of the public EXtra-geom package."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from sim.xtdf.illumination import pixel_positions

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venvs" / "euxfel" / "bin" / "python"
PIXEL_M = 200e-6


@pytest.mark.foreign
@pytest.mark.skipif(not PYTHON.exists(), reason="there is no environment .venvs/euxfel with EXtra-geom")
def test_positions_are_those_of_extra_geom(tmp_path: Path) -> None:
    script = ROOT / "tests" / "foreign" / "xtdf_geometry.py"
    subprocess.run([PYTHON, script, tmp_path / "positions.npy"], check=True, timeout=100)
    theirs = np.load(tmp_path / "positions.npy") / PIXEL_M
    for channel in range(16):
        ours = np.stack(pixel_positions(channel), axis=-1)
        assert np.abs(ours - theirs[channel]).max() < 1e-6
