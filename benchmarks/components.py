"""How long it takes from an edited component file to a known result, and to check a hundred documents.

Each round edits the file and runs the command in a process of its own, as a person does: on this machine, and in a copy
of a root directory where one is named. CPU time is what the command and its children take; the clock also counts what
else the machine does.

    make benchmarks, or python benchmarks/components.py --root DIR
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = 100
LINT_SECONDS = 2.0
"""At most so long for the hundred documents."""

EDITED = """
name: edited
schemaVersion: 1.0
parameters: [{{Word: {{type: string, default: edit {number}}}}}]
phases:
  - name: build
    steps:
      - {{name: Write, action: CreateFile, inputs: [{{path: {path}, content: '{{{{ Word }}}}'}}]}}
      - {{name: Read, action: ReadFile, inputs: [{{path: {path}}}]}}
      - name: Repeat
        action: ExecuteBash
        loop: {{forEach: [one, two, three]}}
        inputs: {{commands: ['echo {{{{ loop.value }}}}: {{{{ build.Read.outputs.content }}}}']}}
  - name: validate
    steps:
      - {{name: Check, action: Assert, inputs: {{fileExists: {path}}}}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="runs of each (default 9)")
    parser.add_argument("--root", type=Path, help="root directory to run in copies of")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), options.rounds, options.root)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'what':<44}{'median s':>10}{'least':>8}{'most':>8}{'median CPU s':>14}")
    for name, row in rows.items():
        print(f"{name:<44}{row['median']:>10.2f}{row['least']:>8.2f}{row['most']:>8.2f}{row['cpu']:>14.2f}")


def measure(folder: Path, rounds: int, root: Path | None) -> dict[str, dict[str, float]]:
    """Return seconds by what was done."""
    sample = (ROOT / "components/apache.yaml").read_text()
    documents = []
    for number in range(DOCUMENTS):
        documents.append(folder / f"{number}.yaml")
        documents[-1].write_text(f"# {number}\n{sample}")
    edited, target = folder / "edited.yaml", folder / "target"
    run = ["run", str(edited), "--in"]
    kinds: dict[str, tuple[list[str], str]] = {
        f"lint of {DOCUMENTS} documents": (["lint", *map(str, documents)], str(target)),
        "edit, run in a temporary directory": ([*run, "host", "--yes-on-this-host"], str(target)),
    }
    if root is not None:
        kinds["edit, run in a copy of a root directory"] = ([*run, f"chroot:{root}", "--copy"], "/tmp/target")  # noqa: S108 - in the copy
    rows = {}
    for name, (arguments, path) in kinds.items():
        times = []
        for number in range(rounds + 1):
            edited.write_text(EDITED.format(number=number, path=path))
            times.append(seconds(arguments))
        # The first fills the caches of Python and the disk.
        clock, cpu = zip(*times[1:], strict=True)
        rows[name] = {
            "median": statistics.median(clock),
            "least": min(clock),
            "most": max(clock),
            "cpu": statistics.median(cpu),
        }
    return rows


def seconds(arguments: list[str]) -> tuple[float, float]:
    """Run the command; return seconds by the clock and of CPU time."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "cdk_ami.cli.main", "component", *arguments],
        check=True,
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    elapsed, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return elapsed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
