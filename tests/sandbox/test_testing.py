"""The local AWS for tests: what users of the package have in their own suites."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cdk_ami.sandbox.server import Sandbox
from cdk_ami.sandbox.testing import DeployError, LocalAws
from cdk_ami.sandbox.testing.control import Control, ControlRefusedError
from cdk_ami.sandbox.testing.local_aws import BusyError
from tests.support.stacks import parameter, resource

ROOT = Path(__file__).parents[2]
OTHER = "210987654321"


@pytest.fixture
def local(sandbox: Sandbox) -> Iterator[LocalAws]:
    """The class around the one server of the session, which is emptied before each test."""
    made = LocalAws()
    made._server, made._control = sandbox, Control(sandbox.endpoint)
    yield made
    made.reset()


def test_clients_speak_to_it_whatever_the_environment_says(local: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")

    assert local.client("sts").get_caller_identity()["Account"] == "123456789012"
    assert local.client("sts", account=OTHER).get_caller_identity()["Account"] == OTHER
    assert [vpc.is_default for vpc in local.session("eu-west-1").resource("ec2").vpcs.all()] == [True]


def test_a_client_of_a_role_acts_with_it(local: LocalAws) -> None:
    arn = f"arn:aws:iam::{OTHER}:role/there"

    local.client("sns", role=arn).list_topics()
    (call,) = local.calls("sns")

    assert (call.role, call.account) == (arn, OTHER)


def test_time_faults_calls_and_enforcement_are_at_hand(local: LocalAws) -> None:
    before = local.clock.now()
    assert local.clock.advance(timedelta(days=2)) - before >= timedelta(days=2)

    fault = local.faults.throttle("sns", first=1)
    with pytest.raises(ClientError, match="Throttling"):
        local.session().client("sns", config=Config(retries={"total_max_attempts": 1})).list_topics()
    assert fault.struck == 1
    fault.end()
    assert [call.error for call in local.calls("sns", "ListTopics")] == ["Throttling"]

    local.forget_calls()
    assert local.calls() == []

    local.enforce("all-roles")
    with pytest.raises(ClientError, match="AccessDenied"):
        local.client("sns", role="arn:aws:iam::123456789012:role/none")


def test_each_fault_has_a_method_and_what_is_impossible_is_refused(local: LocalAws) -> None:
    faults = local.faults
    made = [
        faults.throttle("ec2", "CopyImage", rate=5),
        faults.fail("ec2", "CopyImage", "ResourceLimitExceeded", "too many", status=400, first=2),
        faults.delay(timedelta(seconds=1), "ssm", "GetParameter"),
        faults.down(region="eu-west-1", dropped=True),
        faults.lose_answer("imagebuilder", "CreateImage", probability=0.5, seed=3),
        faults.fail_copies(region="eu-west-1"),
        faults.hold_copies(account=OTHER),
    ]
    told = local._control.get("faults", {})["faults"]

    assert [one["id"] for one in told] == [one.id for one in made]
    assert told[1]["error"] == {"code": "ResourceLimitExceeded", "message": "too many", "status": 400}
    with pytest.raises(ControlRefusedError, match="probability is above 0"):
        faults.throttle("ec2", probability=0)

    faults.end()

    assert local._control.get("faults", {}) == {"faults": []}


def test_a_template_is_deployed_updated_and_destroyed(local: LocalAws) -> None:
    def template(value: str) -> dict[str, Any]:
        return {"Resources": {"One": parameter("/one", value)}, "Outputs": {"Name": {"Value": {"Ref": "One"}}}}

    assert local.deploy(template("a"), region="eu-west-1") == {"Test": {"Name": "/one"}}
    assert local.deploy(template("b"), region="eu-west-1") == {"Test": {"Name": "/one"}}
    assert local.deploy(template("b"), region="eu-west-1") == {"Test": {"Name": "/one"}}

    ssm = local.client("ssm", "eu-west-1")
    assert ssm.get_parameter(Name="/one")["Parameter"]["Value"] == "b"

    local.destroy(template("b"), region="eu-west-1")

    assert ssm.get_parameters(Names=["/one"])["Parameters"] == []


def test_a_stack_that_fails_says_why(local: LocalAws) -> None:
    bad = resource("KMS::Alias", {"AliasName": "alias/none", "TargetKeyId": "00000000-0000-0000-0000-000000000000"})

    with pytest.raises(DeployError, match=r"Test in us-east-1 is ROLLBACK_COMPLETE: Bad: .*NotFound"):
        local.deploy({"Resources": {"Bad": bad}})
    with pytest.raises(DeployError, match="Test in us-east-1: "):
        local.deploy({"Resources": {"Bad": {"Type": "AWS::No::Such"}}}, name="Test")


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    """A cloud assembly as the default synthesizer writes it: two stacks, of which one needs the other, and a folder."""
    (tmp_path / "asset.code").mkdir()
    (tmp_path / "asset.code" / "index.py").write_text("def handler(event, context): ...\n")
    bucket = "cdk-hnb659fds-assets-${AWS::AccountId}-us-east-1"
    manifest: dict[str, Any] = {"version": "48.0.0", "artifacts": {}}
    for name, needs in (("later", ["earlier"]), ("earlier", [])):
        template = {
            "Resources": {"One": parameter(f"/{name}")},
            "Parameters": {
                "BootstrapVersion": {
                    "Type": "AWS::SSM::Parameter::Value<String>",
                    "Default": "/cdk-bootstrap/hnb659fds/version",
                }
            },
            "Outputs": {"Name": {"Value": {"Ref": "One"}}},
        }
        if needs:
            template["Resources"]["One"]["Properties"]["Value"] = {"Ref": "Given"}
            template["Parameters"]["Given"] = {"Type": "String"}
        (tmp_path / f"{name}.template.json").write_text(json.dumps(template))
        files = {
            "template": {
                "source": {"path": f"{name}.template.json", "packaging": "file"},
                "destinations": {"here": {"bucketName": bucket, "objectKey": f"{name}.json"}},
            },
            "code": {
                "source": {"path": "asset.code", "packaging": "zip"},
                "destinations": {"here": {"bucketName": bucket, "objectKey": "code.zip"}},
            },
        }
        (tmp_path / f"{name}.assets.json").write_text(
            json.dumps({"version": "48.0.0", "files": files, "dockerImages": {}})
        )
        manifest["artifacts"][f"{name}.assets"] = {
            "type": "cdk:asset-manifest",
            "properties": {"file": f"{name}.assets.json"},
        }
        manifest["artifacts"][name] = {
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/us-east-1",
            "dependencies": [f"{name}.assets", *needs],
            "properties": {
                "templateFile": f"{name}.template.json",
                "stackTemplateAssetObjectUrl": f"s3://{bucket}/{name}.json",
                "bootstrapStackVersionSsmParameter": "/cdk-bootstrap/hnb659fds/version",
            },
        }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def test_a_cloud_assembly_is_deployed_in_order_with_its_files_and_without_node(local: LocalAws, assembly: Path) -> None:
    outputs = local.deploy(assembly, parameters={"later": {"Given": "v"}})

    assert outputs == {"earlier": {"Name": "/earlier"}, "later": {"Name": "/later"}}
    assert list(outputs) == ["earlier", "later"]
    assert local.client("ssm").get_parameter(Name="/later")["Parameter"]["Value"] == "v"
    held = local.client("s3").list_objects_v2(Bucket="cdk-hnb659fds-assets-123456789012-us-east-1")["Contents"]
    assert [one["Key"] for one in held] == ["code.zip", "earlier.json", "later.json"]

    local.destroy(assembly)

    assert local.client("cloudformation").describe_stacks()["Stacks"] == []


CDK = ROOT / "node_modules" / ".bin" / "cdk"


@pytest.mark.cdk_cli
@pytest.mark.skipif(not CDK.exists(), reason="needs node_modules")
def test_the_real_command_line_bootstraps_and_deploys_it_where_a_test_asks_for_that(
    local: LocalAws, assembly: Path
) -> None:
    outputs = local.deploy(assembly, parameters={"later": {"Given": "v"}}, cdk=[str(CDK)])

    assert outputs == {"earlier": {"Name": "/earlier"}, "later": {"Name": "/later"}}
    stacks = local.client("cloudformation").describe_stacks()["Stacks"]
    assert {stack["StackName"] for stack in stacks} == {"CDKToolkit", "earlier", "later"}
    with pytest.raises(DeployError, match="deploys apps and cloud assemblies, not templates"):
        local.deploy({"Resources": {}}, cdk=[str(CDK)])


def test_an_asset_that_needs_docker_is_refused(local: LocalAws, assembly: Path) -> None:
    (assembly / "earlier.assets.json").write_text(json.dumps({"files": {}, "dockerImages": {"a": {}}}))

    with pytest.raises(DeployError, match=r"earlier\.assets\.json holds container images"):
        local.deploy(assembly)


def test_one_waits_until_nothing_is_on_its_way(local: LocalAws) -> None:
    local.wait_idle()
    local.faults.delay(timedelta(hours=1), "ssm", "PutParameter", callers="engines")
    template = json.dumps({"Resources": {"One": parameter("/one")}})
    making = Thread(target=lambda: local.client("cloudformation").create_stack(StackName="slow", TemplateBody=template))
    making.start()
    while not local.calls("ssm", "PutParameter"):
        making.join(0.01)

    with pytest.raises(BusyError, match="there still runs the stack slow"):
        local.wait_idle(seconds=0.05)

    local.faults.end()
    local.wait_idle()
    making.join()
    assert local.client("cloudformation").describe_stacks()["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"


PROGRAM = """
import os, sys
import boto3

assert "moto" not in sys.modules

def test_one(cdk_ami_sandbox):
    boto3.client("sns").create_topic(Name="t")
    assert [call.operation for call in cdk_ami_sandbox.calls("sns")] == ["CreateTopic"]

def test_two(cdk_ami_sandbox):
    assert boto3.client("sns").list_topics()["Topics"] == []
    assert os.environ["AWS_ENDPOINT_URL"] == cdk_ami_sandbox.endpoint
"""


def test_the_plugin_gives_each_test_an_empty_one_and_imports_it_when_asked(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]

    done = subprocess.run(
        [*command, "test_it.py"], cwd=tmp_path, capture_output=True, text=True, check=False, env=_environment()
    )

    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_pytest_finds_the_plugin_by_the_packages_metadata() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["entry-points"]["pytest11"] == {"cdk-ami-sandbox": "cdk_ami.sandbox.testing.plugin"}
    assert not [one for one in project["optional-dependencies"]["sandbox"] if "pytest" in one]


def test_it_says_so_when_it_does_not_run() -> None:
    with pytest.raises(RuntimeError, match="use it in a with block"):
        _ = LocalAws().endpoint


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
