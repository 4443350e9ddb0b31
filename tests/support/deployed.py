"""CDK apps of tests, deployed without the CDK command line, which takes seconds."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from tests.support.sandbox import MakeClient
from tests.support.stacks import Stacks
from tests.support.synth import make_app


class Deployed:
    """An app's stacks, deployed without the CDK command line."""

    def __init__(self, aws: MakeClient) -> None:
        self._aws = aws
        self.app = make_app()

    def stack(self, name: str, region: str = "us-east-1", **options: Any) -> cdk.Stack:
        """Return an empty stack of the app."""
        return cdk.Stack(self.app, name, env=cdk.Environment(account="123456789012", region=region), **options)

    def deploy(self, *names: str) -> Stacks:
        """Publish the assets and create the stacks in the given order; return the stacks of us-east-1."""
        assembly = self.app.synth(force=True)
        made: dict[str, str] = {}
        for name in names:
            artifact = assembly.get_stack_by_name(name)
            region = artifact.environment.region
            self._publish(Path(assembly.directory), name, region)
            stacks = Stacks(self._aws("cloudformation", region))
            template = artifact.template
            template.pop("Rules", None)  # the version of the bootstrap stack
            template.get("Parameters", {}).pop("BootstrapVersion", None)
            stacks.ids[name] = stacks.client.create_stack(
                StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
            )["StackId"]
            assert stacks.settled(name) == "CREATE_COMPLETE", stacks.reasons(name)
            made |= stacks.ids
        return Stacks(self._aws("cloudformation"), made)

    def _publish(self, folder: Path, name: str, region: str) -> None:
        manifest = json.loads((folder / f"{name}.assets.json").read_text())
        client = self._aws("s3", region)
        for asset in manifest["files"].values():
            source = folder / asset["source"]["path"]
            body = _zipped(source) if asset["source"]["packaging"] == "zip" else source.read_bytes()
            for one in asset["destinations"].values():
                try:
                    where = {} if region == "us-east-1" else {"LocationConstraint": region}
                    options = {"CreateBucketConfiguration": where} if where else {}
                    client.create_bucket(Bucket=one["bucketName"], **options)
                except (client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
                    pass
                client.put_object(Bucket=one["bucketName"], Key=one["objectKey"], Body=body)


def _zipped(folder: Path) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as files:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                files.write(path, path.relative_to(folder))
    return made.getvalue()
