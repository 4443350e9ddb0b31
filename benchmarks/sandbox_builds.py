"""What many builds cost the sandbox: seconds, and the peak of its memory.

Builds run in a sandbox of this process, a few at a time, each copied into as many Regions as are asked for.  The bound
is a gigabyte for a hundred builds into ten Regions.

    python benchmarks/sandbox_builds.py --builds 100 --regions 10
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import boto3

from cdk_ami.sandbox import environment
from cdk_ami.sandbox.server import Sandbox

BOUND_MIB = 1024
"""At most so much resident memory."""

PARENT = "ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
ENDED = ("AVAILABLE", "FAILED", "CANCELLED")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=int, default=100, help="builds to run (default 100)")
    parser.add_argument("--regions", type=int, default=10, help="Regions that each is copied into (default 10)")
    parser.add_argument("--at-once", type=int, default=4, help="builds that run at the same time (default 4)")
    options = parser.parse_args()
    with Sandbox() as sandbox:
        os.environ.update(environment.variables(sandbox.endpoint))
        before, began = peak_mib(), time.monotonic()
        run(options.builds, options.regions, options.at_once)
        seconds, after = time.monotonic() - began, peak_mib()
    each = seconds / options.builds
    print(f"{options.builds} builds into {options.regions} Regions: {seconds:.1f} s, {each:.2f} s each")
    print(f"peak memory: {before:.0f} MiB before, {after:.0f} MiB after, bound {BOUND_MIB} MiB")


def run(builds: int, regions: int, at_once: int) -> None:
    """Run the builds, a few at a time; each must end well."""
    builder = boto3.client("imagebuilder")
    pipeline = make_pipeline(builder, regions)
    waiting = iter(range(builds))
    running = [start(builder, pipeline) for _ in islice(waiting, at_once)]
    while running:
        for arn in ended(builder, running):
            running.remove(arn)
            running += [start(builder, pipeline) for _ in islice(waiting, 1)]
        time.sleep(0.05)


def ended(builder: Any, running: list[str]) -> Iterator[str]:
    for arn in list(running):
        state = builder.get_image(imageBuildVersionArn=arn)["image"]["state"]
        if state["status"] in ENDED:
            if state["status"] != "AVAILABLE":
                raise SystemExit(f"a build failed: {state}")
            yield arn


def start(builder: Any, pipeline: str) -> str:
    return str(builder.start_image_pipeline_execution(imagePipelineArn=pipeline)["imageBuildVersionArn"])


def make_pipeline(builder: Any, regions: int) -> str:
    """Make all that a pipeline needs, and return its ARN."""
    iam = boto3.client("iam")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName="builder", AssumeRolePolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName="builder")
    iam.add_role_to_instance_profile(InstanceProfileName="builder", RoleName="builder")
    names = sorted(boto3.session.Session().get_available_regions("ec2"))[:regions]
    targets = [
        {"region": name, "amiDistributionConfiguration": {"name": "web {{ imagebuilder:buildDate }}"}} for name in names
    ]
    recipe = builder.create_image_recipe(name="web", semanticVersion="1.0.x", parentImage=PARENT)
    infrastructure = builder.create_infrastructure_configuration(name="web", instanceProfileName="builder")
    distribution = builder.create_distribution_configuration(name="web", distributions=targets)
    made = builder.create_image_pipeline(
        name="web",
        imageRecipeArn=recipe["imageRecipeArn"],
        infrastructureConfigurationArn=infrastructure["infrastructureConfigurationArn"],
        distributionConfigurationArn=distribution["distributionConfigurationArn"],
    )
    return str(made["imagePipelineArn"])


def peak_mib() -> float:
    """Return the most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
