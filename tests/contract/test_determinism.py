"""The same commit gives the same template, byte for byte, whatever order Python's hashes give to sets."""

from __future__ import annotations

import hashlib
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.synth import ROOT

SEEDS = range(20)


@pytest.mark.timeout(900)
def test_the_templates_are_byte_identical_over_twenty_hash_seeds(tmp_path: Path) -> None:
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        digests = list(pool.map(lambda seed: synthesized(tmp_path / str(seed), seed), SEEDS))

    assert len(digests[0]) == 3
    assert [seed for seed in SEEDS if digests[seed] != digests[0]] == []


def synthesized(folder: Path, seed: int) -> dict[str, str]:
    """Run the app as the command line does, with one hash seed; return the digest of each template."""
    subprocess.run(
        [ROOT / ".venv/bin/python", "app.py"],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONHASHSEED": str(seed), "CDK_OUTDIR": str(folder), "CDK_DEFAULT_ACCOUNT": "123456789012"},
        check=True,
        capture_output=True,
    )
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.template.json")}
