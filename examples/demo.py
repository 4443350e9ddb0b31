"""The main job, start to end, on whatever AWS the environment points at: bootstrap, deploy, show what exists.

`make demo` runs it on a local AWS.  It calls the same commands a person would type.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cdk_ami.settings import SETTINGS_FILE, Settings, load

ROOT = Path(__file__).parents[1]
CDK = ROOT / "node_modules" / ".bin" / "cdk"
CDK_AMI = ROOT / ".venv" / "bin" / "cdk-ami"

NEXT = """
Templates   {templates}
Once more   make demo, after editing components/apache.yaml or cdk-ami.toml
Hands on    .venv/bin/cdk-ami sandbox            then, in another shell:  eval "$(.venv/bin/cdk-ami sandbox --env)"

With a real account (an Image Builder build takes 15 to 45 minutes):
  export AWS_PROFILE=...
  npx cdk bootstrap {environments}
  npx cdk deploy --all
  .venv/bin/cdk-ami images
"""


def main() -> int:
    """Run the job; with ``--check`` also assert on its result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail unless the result is what the settings ask for")
    options = parser.parse_args()
    settings = load(ROOT / SETTINGS_FILE)
    regions = sorted({*settings.image.regions, *(fleet.region for fleet in settings.fleets)})

    started = time.monotonic()
    # Outside the app's folder, or the command would synthesize the app first.
    run("Bootstrap", [CDK, "bootstrap", *(f"aws://123456789012/{region}" for region in regions)], folder=ROOT / "docs")
    run("Synthesize", [CDK, "synth", "--quiet"])
    run("Deploy: build the image, copy it, launch the fleets", [*DEPLOY, "--progress", "events"])
    run("What exists now", [CDK_AMI, "images"])
    sys.stdout.write(f"\nDone in {time.monotonic() - started:.0f} s.\n")
    sys.stdout.write(
        NEXT.format(templates=ROOT / "cdk.out", environments=" ".join(f"aws://ACCOUNT/{r}" for r in regions))
    )
    if options.check:
        check(settings)
        sys.stdout.write(
            "\nChecked: the result is what cdk-ami.toml asks for, and a second deployment changes nothing.\n"
        )
    return 0


DEPLOY: list[str | Path] = [CDK, "deploy", "--app", "cdk.out", "--all", "--require-approval", "never"]


def check(settings: Settings) -> None:
    """Assert that what exists is what ``settings`` describe, and that a second deployment changes nothing."""
    images = json.loads(run_quietly([CDK_AMI, "images", "--json"]))
    amis: dict[str, dict[str, Any]] = {ami["region"]: ami for ami in images["amis"]}
    built = amis[settings.image.region]
    expect(set(amis) == set(settings.image.regions), f"one AMI in each of {settings.image.regions}", amis)
    expect(len({ami["image_id"] for ami in amis.values()}) == len(amis), "ids that differ between Regions", amis)
    for region, ami in amis.items():
        expect(ami["state"] == "available" and ami["encrypted"], "an available AMI with encrypted snapshots", ami)
        expect(ami["channels"] == ["latest"], "an AMI on the entry channel", ami)
        if region != settings.image.region:
            made_from = f"{settings.image.region}/{built['image_id']}"
            expect(ami["source"] == made_from, f"an AMI copied from {made_from}", ami)
    for fleet in settings.fleets:
        mine = [instance for instance in images["instances"] if instance["region"] == fleet.region]
        expect(
            sorted(found["zone"] for found in mine) == sorted(fleet.zones),
            f"one instance in each of {fleet.zones}",
            mine,
        )
        for instance in mine:
            expect(instance["image_id"] == amis[fleet.region]["image_id"], "an instance of its Region's AMI", instance)
            expect(instance["state"] == "running" and instance["imdsv2"], "running, with IMDSv2 required", instance)
    again = run_quietly(DEPLOY)
    stacks = 1 + len(settings.fleets)
    expect(again.count("(no changes)") == stacks, f"{stacks} stacks without changes on the second deployment", again)
    expect(
        json.loads(run_quietly([CDK_AMI, "images", "--json"])) == images,
        "the same AMIs and instances afterwards",
        images,
    )


def expect(holds: bool, what: str, got: object) -> None:  # noqa: FBT001 - an assertion reads best so
    """Raise unless ``holds``."""
    if not holds:
        raise SystemExit(f"demo: expected {what}, got {got}")


def run(title: str, command: list[str | Path], *, folder: Path = ROOT) -> None:
    """Run ``command`` with its output shown."""
    sys.stdout.write(
        f"\n== {title}\n   {shlex.join(Path(command[0]).name if i == 0 else str(p) for i, p in enumerate(command))}\n"
    )
    sys.stdout.flush()
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)  # noqa: S603 - our own commands


def run_quietly(command: list[str | Path]) -> str:
    """Run ``command`` and return what it printed on both streams."""
    done = subprocess.run(  # noqa: S603 - our own commands
        command,
        cwd=ROOT,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
