"""What the checks cost: a template of a thousand resources, and the plugin beside a synthesis with validation on.

The thousand resources are those of one image and its fleet, copied over and over under other names. The plugin is
measured in pairs of processes that differ in it alone; what counts is the CPU time of Python and of its Node process.

    python benchmarks/checks.py
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
from typing import Any

from cdk_ami.checks.template.engine import check_template
from cdk_ami.checks.template.loading import parse_template
from cdk_ami.checks.template.registry import all_rules
from cdk_ami.checks.template.values import Environment

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "benchmarks/programs/ours.py"
RESOURCES = 1_000
SECONDS_MAX = 1.0
SHARE_MAX = 0.1
WITH_PLUGIN = """
import runpy, sys
import aws_cdk as cdk
synth = cdk.App.synth
def checked(app, *arguments, **options):
    if {plugin}:
        from cdk_ami import AmiChecks
        cdk.Validations.of(app).add_plugins(AmiChecks(app))
    return synth(app, *arguments, **options)
cdk.App.synth = checked
sys.path.insert(0, {programs!r})
runpy.run_path({program!r}, run_name="__main__")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="runs of each (default 9)")
    options = parser.parse_args()
    all_rules()
    body = many_resources(RESOURCES)
    text = json.dumps(body, indent=1)
    check_template(parse_template(text))  # loads what is loaded once
    rounds = [cpu_of_check(text) for _ in range(options.rounds)]
    print(
        f"{len(body['Resources'])} resources, {len(text) // 1024} KiB: median CPU {statistics.median(rounds):.2f} s, "
        f"least {min(rounds):.2f}, most {max(rounds):.2f}; the bound is {SECONDS_MAX} s"
    )
    times: dict[bool, list[float]] = {False: [], True: []}
    for number in range(options.rounds + 1):
        for plugin, spent_before in times.items():
            spent = cpu_of_synth(plugin=plugin)
            if number:  # the first fills the caches of Python, jsii and the disk
                spent_before.append(spent)
    without, with_it = (statistics.median(times[plugin]) for plugin in (False, True))
    print(
        f"synth with validation: median CPU {without:.2f} s, with the plugin {with_it:.2f} s: "
        f"{100 * (with_it / without - 1):.1f} % more; the bound is {100 * SHARE_MAX:.0f} %"
    )


def many_resources(count: int) -> dict[str, Any]:
    """Return a template of at least ``count`` resources: an image and its fleet, copied under other names."""
    with tempfile.TemporaryDirectory() as folder:
        run = [sys.executable, str(PROGRAM), folder]
        subprocess.run(run, check=True, capture_output=True, cwd=ROOT, env=os.environ | {"CDK_VALIDATION": "false"})
        template: dict[str, Any] = json.loads(next(Path(folder).glob("*.template.json")).read_text())
    found: dict[str, Any] = {}
    number = 0
    while len(found) < count:
        text = json.dumps(template["Resources"])
        for name in sorted(template["Resources"], key=len, reverse=True):
            text = text.replace(f'"{name}"', f'"{name}{number}"').replace(f"{name}.", f"{name}{number}.")
        copied = json.loads(text)
        for made in copied.values():
            properties = made.get("Properties", {})
            for key in ("Name", "LogGroupName"):
                if isinstance(properties.get(key), str):
                    properties[key] = f"{properties[key]}-{number}"
        found |= copied
        number += 1
    return template | {"Resources": found}


def cpu_of_check(text: str) -> float:
    """Return the CPU time of reading and checking a template, in seconds."""
    began = time.process_time()
    check_template(parse_template(text), environment=Environment("us-east-1", "123456789012"))
    return time.process_time() - began


def cpu_of_synth(*, plugin: bool) -> float:
    """Return the CPU time of one synthesis with the CDK's validation on, in seconds."""
    code = WITH_PLUGIN.format(plugin=plugin, programs=str(PROGRAM.parent), program=str(PROGRAM))
    environment = {name: value for name, value in os.environ.items() if name != "CDK_VALIDATION"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-c", code, folder],
            check=True,
            capture_output=True,
            cwd=ROOT,
            env=environment | {"PYTHONPATH": str(ROOT), "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "18,20"},
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
