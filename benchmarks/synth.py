"""What one image and one fleet cost to synthesize: by this library, as hand-written L1, with the official L2.

Each program runs in a process of its own, in turn, so that a busy machine slows all of them alike. What counts is
CPU time of the process and of the Node process it starts; the median is compared. Validation by the CDK is off.

    make benchmarks
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
from pathlib import Path

PROGRAMS = Path(__file__).with_name("programs")
NAMES = ("floor", "ours", "hand_l1", "official_l2")
BOUNDS = {"hand_l1": 1.15, "official_l2": 0.85}
"""At most so many times the other's CPU time."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="runs of each program (default 15)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in NAMES}
    for name in NAMES:
        cpu_seconds(name)  # fills the caches of Python, jsii and the disk
    for _ in range(options.rounds):
        for name in NAMES:
            times[name].append(cpu_seconds(name))
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratios = {name: medians["ours"] / medians[name] for name in BOUNDS}
    if options.json:
        print(json.dumps({"median_cpu_seconds": medians, "ours_against": ratios, "bounds": BOUNDS}, indent=2))
        return
    print(f"{'program':<14}{'median CPU s':>14}{'min':>8}{'max':>8}{'ours / it':>12}{'bound':>8}")
    for name in NAMES:
        ratio = f"{ratios[name]:.2f}" if name in ratios else ""
        bound = f"{BOUNDS[name]:.2f}" if name in BOUNDS else ""
        row = f"{name:<14}{medians[name]:>14.3f}{min(times[name]):>8.3f}{max(times[name]):>8.3f}{ratio:>12}{bound:>8}"
        print(row)


def cpu_seconds(name: str) -> float:
    """Run one program; return the CPU time that it and its Node process took, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, PROGRAMS / f"{name}.py", folder],
            check=True,
            capture_output=True,
            cwd=PROGRAMS.parents[1],
            env=environment(),
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def environment() -> dict[str, str]:
    """Return the environment of a user: byte code is kept, and the CDK's validation, which costs 4 s, is off."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"CDK_VALIDATION": "false", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "18,20"}


if __name__ == "__main__":
    main()
