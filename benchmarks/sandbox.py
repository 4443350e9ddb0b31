"""How long the sandbox takes: the real CDK command line deploys to a fresh one, its pipeline runs, and all is removed.

Each round has a server of its own. Templates are synthesized once; medians of the rounds are printed. Beside the time
of the wall stand the seconds of the processor that the server took: a busy machine stretches the first alone, nearly.

    .venv/bin/python benchmarks/sandbox.py --rounds 5
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import boto3

from cdk_ami.sandbox.environment import variables

ROOT = Path(__file__).parents[1]
CDK = ROOT / "node_modules" / ".bin" / "cdk"
PROGRAM = ROOT / "benchmarks" / "programs" / "sandbox_app.py"
REGIONS = ("us-east-1", "eu-west-1")
ACCOUNT = "123456789012"
POLL_SECONDS = 0.02

BOUNDS = {
    "server start": 1.7,
    "bootstrap of two Regions": 2.3,
    "deploy of three stacks": 3.3,
    "pipeline run with a copy to a second Region": 1.0,
    "pipeline run, then an instance refresh of both groups": 2.3,
    "redeploy without a change": 1.4,
    "update that builds an image": 2.9,
    "failing update and roll back": 2.2,
    "destroy of three stacks": 2.0,
    "reset": 0.1,
    "memory fresh (MB)": 185,
    "memory afterwards (MB)": 310,
}
"""What each step took in the first prototype, on a machine with two processors and nothing else to do."""

MARK_SYNTHESIS_SECONDS = 0.70
"""What the synthesis of an empty stack cost that machine, in seconds of the processor: it tells how quick it was."""
EMPTY_STACK = "import sys, aws_cdk as cdk; app = cdk.App(outdir=sys.argv[1]); cdk.Stack(app, 'Empty'); app.synth()"


class Measured(NamedTuple):
    """What a step took: seconds, or MB; and seconds of the processor in the server."""

    step: str
    value: float
    cpu: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds, each with a server of its own (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    found: dict[str, list[Measured]] = {name: [] for name in BOUNDS}
    with tempfile.TemporaryDirectory() as folder:
        slower = synthesis_seconds(Path(folder)) / MARK_SYNTHESIS_SECONDS
        apps = {variant: synthesize(Path(folder), variant) for variant in ("first", "changed", "broken")}
        for _ in range(options.rounds):
            for measured in one_round(apps, Path(folder)):
                found[measured.step].append(measured)
    medians = {name: statistics.median(one.value for one in values) for name, values in found.items()}
    cpu = {name: statistics.median(one.cpu for one in values) for name, values in found.items()}
    load = os.getloadavg()[0]
    if options.json:
        result = {"medians": medians, "server_cpu": cpu, "marks": BOUNDS, "slower": slower, "load": load}
        print(json.dumps(result, indent=2))
        return
    print(f"{'step':<56}{'median':>9}{'least':>9}{'most':>9}{'server CPU':>12}{'mark':>8}{'mark here':>11}")
    for name, values in found.items():
        digits = 3 if name == "reset" else 0 if "MB" in name else 1
        spread = (medians[name], min(one.value for one in values), max(one.value for one in values))
        numbers = "".join(f"{value:>9.{digits}f}" for value in spread)
        here = BOUNDS[name] if "MB" in name else BOUNDS[name] * slower
        print(f"{name:<56}{numbers}{cpu[name]:>12.2f}{BOUNDS[name]:>8}{here:>11.{digits}f}")
    print(f"\nAn empty stack takes {slower:.2f} times as long here as on the machine of the marks.")
    print(f"load average {load:.1f} on {os.cpu_count()} processors")


def synthesis_seconds(folder: Path) -> float:
    """Return the seconds of the processor that the synthesis of an empty stack takes, the median of five."""
    environment = os.environ | {"CDK_VALIDATION": "false", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "18,20"}
    taken = []
    for number in range(6):
        before = os.times()
        subprocess.run([sys.executable, "-c", EMPTY_STACK, folder / f"empty{number}"], check=True, env=environment)
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        taken.append(spent)
    return statistics.median(taken[1:])  # the first one fills the caches


def synthesize(folder: Path, variant: str) -> Path:
    """Return the folder of the cloud assembly of a variant."""
    out = folder / f"cdk.out.{variant}"
    environment = os.environ | {"CDK_VALIDATION": "false", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "18,20"}
    subprocess.run([sys.executable, PROGRAM, out, variant], check=True, cwd=ROOT, env=environment)
    return out


def one_round(apps: dict[str, Path], folder: Path) -> Iterator[Measured]:
    """Yield what each step took."""
    began = time.monotonic()
    with server() as (process, endpoint):
        yield Measured("server start", time.monotonic() - began, cpu_seconds(process.pid))
        yield Measured("memory fresh (MB)", resident_mb(process.pid))
        run = Runner(endpoint, folder)
        places = [f"aws://{ACCOUNT}/{region}" for region in REGIONS]
        steps: list[tuple[str, Callable[[], None]]] = [
            ("bootstrap of two Regions", lambda: run.cdk("bootstrap", *places)),
            ("deploy of three stacks", lambda: run.deploy(apps["first"])),
            ("pipeline run with a copy to a second Region", run.pipeline),
            ("pipeline run, then an instance refresh of both groups", run.pipeline_and_refresh),
            ("redeploy without a change", lambda: run.deploy(apps["first"])),
            ("update that builds an image", lambda: run.deploy(apps["changed"])),
            ("failing update and roll back", lambda: run.deploy(apps["broken"], fails=True)),
            ("destroy of three stacks", lambda: run.cdk("destroy", "--all", "--force", "--app", apps["first"])),
        ]
        for name, step in steps:
            yield timed(name, step, process.pid)
        yield Measured("memory afterwards (MB)", resident_mb(process.pid))
        yield timed("reset", run.reset, process.pid)


def timed(name: str, step: Callable[[], None], pid: int) -> Measured:
    """Do a step and return what it took."""
    began, used = time.monotonic(), cpu_seconds(pid)
    step()
    return Measured(name, time.monotonic() - began, cpu_seconds(pid) - used)


def cpu_seconds(pid: int) -> float:
    """Return the seconds of the processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve a sandbox in a process of its own."""
    command = [sys.executable, "-c", "from cdk_ami.cli.sandbox import sandbox; sandbox()", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        yield process, process.stdout.readline().removeprefix("ready ").strip()
        process.send_signal(signal.SIGTERM)


def resident_mb(pid: int) -> float:
    """Return the memory of a process."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


class Runner:
    """Does the steps against one server."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.endpoint, self.folder = endpoint, folder
        self.environment = {**os.environ, **variables(endpoint), "HOME": str(folder)}
        session = boto3.Session(aws_access_key_id="sandbox", aws_secret_access_key="sandbox")  # noqa: S106 - not a secret
        self.clients = {
            (service, region): session.client(service, region_name=region, endpoint_url=endpoint)
            for service, region in [("imagebuilder", REGIONS[0]), *(("autoscaling", region) for region in REGIONS)]
        }

    def cdk(self, *arguments: str | Path, fails: bool = False) -> None:
        """Run the CDK command line."""
        done = subprocess.run(
            [CDK, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if (done.returncode != 0) != fails:
            raise SystemExit(f"cdk {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}")

    def deploy(self, assembly: Path, *, fails: bool = False) -> None:
        """Deploy all stacks of an assembly."""
        self.cdk("deploy", "--all", "--require-approval", "never", "--app", assembly, fails=fails)

    def pipeline(self) -> None:
        """Run the pipeline to the end of its image."""
        builder = self.clients["imagebuilder", REGIONS[0]]
        (pipeline,) = builder.list_image_pipelines()["imagePipelineList"]
        image = builder.start_image_pipeline_execution(imagePipelineArn=pipeline["arn"])["imageBuildVersionArn"]
        state = self.ended(lambda: builder.get_image(imageBuildVersionArn=image)["image"]["state"], "AVAILABLE")
        if state != "AVAILABLE":
            raise SystemExit(f"the image is {state}")

    def pipeline_and_refresh(self) -> None:
        """Run the pipeline, then replace the instances of both groups."""
        self.pipeline()
        self.refresh()

    def refresh(self) -> None:
        """Replace the instances of both groups."""
        groups = [self.clients["autoscaling", region] for region in REGIONS]
        for group in groups:
            group.start_instance_refresh(
                AutoScalingGroupName="fleet", Preferences={"SkipMatching": False, "InstanceWarmup": 0}
            )
        for group in groups:

            def state(group: Any = group) -> dict[str, str]:
                found = group.describe_instance_refreshes(AutoScalingGroupName="fleet")["InstanceRefreshes"][0]
                return {"status": found["Status"].upper()}

            if (status := self.ended(state, "SUCCESSFUL")) != "SUCCESSFUL":
                raise SystemExit(f"the refresh is {status}")

    def ended(self, state: Callable[[], dict[str, str]], good: str) -> str:
        """Return the status when it is the good one or a failure."""
        while (status := state()["status"]) not in {good, "FAILED", "CANCELLED", "ROLLBACKSUCCESSFUL"}:
            time.sleep(POLL_SECONDS)
        return status

    def reset(self) -> None:
        """Let the server forget everything."""
        with urlopen(Request(f"{self.endpoint}/moto-api/reset", method="POST")):  # noqa: S310 - loopback
            pass


if __name__ == "__main__":
    main()
