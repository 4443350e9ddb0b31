"""What `cdk-ami preflight` prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cdk_ami.sandbox.server import Sandbox
from tests.cli.conftest import Command
from tests.support.amis import make_ami, point
from tests.support.control import ask
from tests.support.sandbox import MakeClient

READER = {
    "Parameters": {
        "Channel": {
            "Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
            "Default": "/imagebuilder/web/latest",
        }
    },
    "Resources": {},
}
GOLDEN = """\
Preflight

         Check      Account        Region      Subject                    Found                                             Do
 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  ok     regions    123456789012   us-east-1   us-east-1                  is on
  fail   channels   123456789012   us-east-1   /imagebuilder/web/latest   does not exist; the deployment will stop          build the image, or run cdk-ami channels seed web latest --region us-east-1
"""  # noqa: E501 - a table


@pytest.fixture
def template(tmp_path: Path) -> str:
    path = tmp_path / "reader.json"
    path.write_text(json.dumps(READER))
    return str(path)


def squeezed(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip() and "──" not in line]


def test_what_would_fail_is_printed_with_what_to_do_and_ends_with_1(command: Command, template: str) -> None:
    shown = command("preflight", template, "--region", "us-east-1")

    assert shown.exit_code == 1, shown.output
    assert squeezed(shown.output) == [*squeezed(GOLDEN), "1 ok, 0 warn, 1 fail, 0 not checked"]


def test_what_is_right_ends_with_0_and_what_nobody_could_look_at_with_3(
    command: Command, aws: MakeClient, sandbox: Sandbox, template: str
) -> None:
    point(aws("ssm"), "/imagebuilder/web/latest", make_ami(aws("ec2")).image_id)

    well = command("preflight", template, "--region", "us-east-1", "--json")
    ask(sandbox, "faults", service="ssm", error={"code": "AccessDeniedException", "status": 400})
    unseen = command("preflight", template, "--region", "us-east-1", "--json")

    assert (well.exit_code, unseen.exit_code) == (0, 3)
    assert json.loads(well.output)["counts"] == {"ok": 2, "warn": 0, "fail": 0, "not checked": 0}
    told: dict[str, Any] = json.loads(unseen.output)["findings"][1]
    assert told == {
        "check": "channels",
        "account": "123456789012",
        "region": "us-east-1",
        "subject": "/imagebuilder/web/latest",
        "status": "not checked",
        "message": "GetParameters is not allowed",
        "fix": "allow ssm:GetParameters to whoever runs this",
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.json"], "nowhere.json does not exist; run cdk synth, and give its folder, cdk.out"),
        ([], "cdk.out does not exist; run cdk synth"),
        (["TEMPLATE"], "a stack names no Region; give --region, or set AWS_REGION"),
        (["TEMPLATE", "--look-with", "shop"], "--look-with takes ACCOUNT=PROFILE or ACCOUNT=ROLE_ARN, got 'shop'"),
    ],
)
def test_wrong_usage_ends_with_2(command: Command, template: str, arguments: list[str], says: str) -> None:
    given = [template if one == "TEMPLATE" else one for one in arguments]

    shown = command("preflight", *given, AWS_REGION="", AWS_DEFAULT_REGION="")

    assert shown.exit_code == 2
    assert says in " ".join(shown.output.replace("│", " ").split())


def test_explaining_calls_nothing_and_names_every_call_with_its_permission(command: Command, sandbox: Sandbox) -> None:
    ask(sandbox, "calls", method="DELETE")

    shown = command("preflight", "--explain")
    told = json.loads(command("preflight", "--explain", "--json").output)

    assert ask(sandbox, "calls", method="GET")["calls"] == []
    assert "  service-quotas:ListServiceQuotas, allowed by servicequotas:ListServiceQuotas\n" in shown.output
    assert "ec2:RunInstances (as a dry run, which starts nothing" in shown.output
    assert all(one["source"].startswith("https://docs.aws.amazon.com/") for one in told)
    assert {call["operation"] for one in told for call in one["calls"]} >= {"kms:DescribeKey", "iam:GetRole"}
