"""The real CDK command line against the engine, on a cloud assembly written by hand."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdk_ami.sandbox import environment
from cdk_ami.sandbox.server import Sandbox
from tests.support.sandbox import MakeClient
from tests.support.stacks import parameter, resource

ROOT = Path(__file__).parents[3]
ACCOUNT = "123456789012"
Cdk = Callable[..., str]


def cli() -> str | None:
    local = ROOT / "node_modules" / ".bin" / "cdk"
    return str(local) if local.exists() else shutil.which("cdk")


pytestmark = [pytest.mark.cdk_cli, pytest.mark.skipif(cli() is None, reason="needs node_modules")]


@pytest.fixture
def cdk(sandbox: Sandbox, tmp_path: Path) -> Cdk:
    """Run the command line in a folder of its own and return what it printed."""

    def run(*arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            [str(cli()), *arguments],
            cwd=tmp_path,
            env={**os.environ, **environment.variables(sandbox.endpoint), "HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    return run


def assembly(folder: Path, stacks: dict[tuple[str, str], dict[str, Any]]) -> str:
    """Write a cloud assembly with the default synthesizer's roles and assets; keys are stacks with their Regions."""
    out = folder / "cdk.out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    artifacts: dict[str, Any] = {}
    for (name, region), template in stacks.items():
        body = json.dumps(template)
        digest = hashlib.sha256(body.encode()).hexdigest()
        (out / f"{name}.template.json").write_text(body)
        role = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-{{}}-role-{ACCOUNT}-{region}"
        bucket = f"cdk-hnb659fds-assets-{ACCOUNT}-{region}"
        destination = {
            "bucketName": bucket,
            "objectKey": f"{digest}.json",
            "region": region,
            "assumeRoleArn": role.format("file-publishing"),
        }
        source = {"path": f"{name}.template.json", "packaging": "file"}
        files = {digest: {"source": source, "destinations": {f"{ACCOUNT}-{region}": destination}}}
        (out / f"{name}.assets.json").write_text(json.dumps({"version": "48.0.0", "files": files, "dockerImages": {}}))
        artifacts[f"{name}.assets"] = {
            "type": "cdk:asset-manifest",
            "properties": {"file": f"{name}.assets.json", "requiresBootstrapStackVersion": 6},
        }
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://{ACCOUNT}/{region}",
            "dependencies": [f"{name}.assets"],
            "displayName": name,
            "properties": {
                "templateFile": f"{name}.template.json",
                "validateOnSynth": False,
                "assumeRoleArn": role.format("deploy"),
                "cloudFormationExecutionRoleArn": role.format("cfn-exec"),
                "stackTemplateAssetObjectUrl": f"s3://{bucket}/{digest}.json",
                "requiresBootstrapStackVersion": 6,
                "bootstrapStackVersionSsmParameter": "/cdk-bootstrap/hnb659fds/version",
            },
        }
    (out / "manifest.json").write_text(json.dumps({"version": "48.0.0", "artifacts": artifacts}))
    return str(out)


def template(value: str, **more: Any) -> dict[str, Any]:
    sections = {
        "Parameters": {
            "BootstrapVersion": {
                "Type": "AWS::SSM::Parameter::Value<String>",
                "Default": "/cdk-bootstrap/hnb659fds/version",
            }
        },
        "Outputs": {"Name": {"Value": {"Ref": "One"}}},
    }
    return {"Resources": {"One": parameter("/one", value), **more}, **sections}


def test_bootstrap_deploy_redeploy_fail_and_destroy(cdk: Cdk, aws: MakeClient, tmp_path: Path) -> None:
    both = [f"aws://{ACCOUNT}/us-east-1", f"aws://{ACCOUNT}/eu-west-1"]
    deploy = ["deploy", "--all", "--require-approval", "never", "--app"]
    regions = {("here", "us-east-1"): template("a"), ("there", "eu-west-1"): template("a")}

    cdk("bootstrap", *both)
    first = cdk(*deploy, assembly(tmp_path, regions))
    second = cdk(*deploy, assembly(tmp_path, regions))

    assert "here.Name = /one" in first
    assert second.count("(no changes)") == 2

    bad = resource("KMS::Alias", {"AliasName": "alias/none", "TargetKeyId": "00000000-0000-0000-0000-000000000000"})
    failing = {("here", "us-east-1"): template("c", Bad={**bad, "DependsOn": "One"})}
    failed = cdk(*deploy, assembly(tmp_path, failing), fails=True)

    assert "NotFoundException" in failed
    here = aws("cloudformation").describe_stacks(StackName="here")["Stacks"][0]
    assert here["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert aws("ssm").get_parameter(Name="/one")["Parameter"]["Value"] == "a"

    cdk("destroy", "--all", "--force", "--app", assembly(tmp_path, regions))

    for region in ("us-east-1", "eu-west-1"):
        left = aws("cloudformation", region).describe_stacks()["Stacks"]
        assert [stack["StackName"] for stack in left] == ["CDKToolkit"]
        assert aws("ssm", region).get_parameters(Names=["/one"])["Parameters"] == []
