"""The tests that the guide to the sandbox shows are run, as a user's own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.synth import ROOT

PAGE = ROOT / "docs" / "how-to" / "test-your-image-pipeline.md"
BLOCK = re.compile(r"^```python test\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_tests_that_the_guide_shows_pass(tmp_path: Path) -> None:
    code = "\n\n".join(BLOCK.findall(PAGE.read_text()))
    (tmp_path / "test_guide.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]

    done = subprocess.run(
        [*command, "test_guide.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert f"{code.count('def test_')} passed" in done.stdout, done.stdout + done.stderr


def test_the_guide_is_linked_from_the_index() -> None:
    assert "(how-to/test-your-image-pipeline.md)" in (ROOT / "docs" / "README.md").read_text()
