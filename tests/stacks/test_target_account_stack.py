"""What an account deploys to receive copies: one template for all of them, made from the settings of both sides."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdk_ami import ConfigError
from cdk_ami.settings import ReceiveSettings, Settings, load
from stacks.app_stacks import add_target_account_stack
from tests.support.sandbox import MakeClient
from tests.support.stacks import CAPABILITIES
from tests.support.synth import make_app, resources_of

SETTINGS = """
account = "123456789012"

[image]
name = "web"
region = "us-east-1"
source = "amazon-linux-2023"
copy_to = ["eu-west-1"]
keys = "own"
copy_to_accounts = ["444444444444"]

[image.accounts]
file = "accounts.yaml"
units = ["Prod"]

[receive]
promoted_channels = ["stable"]
"""
ACCOUNTS = """
accounts:
  - {id: "333333333333", name: bank, unit: Prod}
  - {id: "222222222222", name: shop, unit: Prod/Shop}
  - {id: "555555555555", name: lab}
"""


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("settings")
    (folder / "cdk-ami.toml").write_text(SETTINGS)
    (folder / "accounts.yaml").write_text(ACCOUNTS)
    return load(folder / "cdk-ami.toml", side="receive")


@pytest.fixture(scope="module")
def template(received: Settings) -> dict[str, Any]:
    app = make_app()
    stack = add_target_account_stack(app, received)
    found: dict[str, Any] = app.synth().get_stack_by_name(stack.stack_name).template
    return found


def test_accounts_come_from_the_settings_and_from_the_file_that_they_name(received: Settings) -> None:
    assert received.image.copy_to_accounts == ("444444444444", "222222222222", "333333333333")
    assert (received.side, received.receive) == ("receive", ReceiveSettings(promoted_channels=("stable",)))


def test_a_file_of_accounts_with_faults_is_named_itself(tmp_path: Path) -> None:
    (tmp_path / "cdk-ami.toml").write_text(SETTINGS)
    (tmp_path / "accounts.yaml").write_text("accounts: [{id: 1}]")

    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "cdk-ami.toml")

    assert (caught.value.where, caught.value.prop) == ("accounts.yaml", "accounts[0].id")


def test_the_template_serves_every_account_without_a_bootstrap(template: dict[str, Any]) -> None:
    text = json.dumps(template)

    assert sorted(template) == ["Description", "Outputs", "Resources"]
    assert {one["Type"] for one in template["Resources"].values()} == {"AWS::IAM::Role"}
    assert '"Ref": "AWS::AccountId"' in text
    assert "AWS::Region" not in text
    for part in ("/imagebuilder/web/latest", "/imagebuilder/web/stable", "alias/imagebuilder/web"):
        assert part in text


def test_copies_stay_where_the_receiving_account_says_so(received: Settings) -> None:
    promotes = "arn:aws:iam::123456789012:role/Promotion"
    settings = replace(received, receive=ReceiveSettings(retire=False, trusted_roles=(promotes,)))
    app = make_app()

    stack = add_target_account_stack(app, settings)

    (role,) = resources_of(app.synth().get_stack_by_name(stack.stack_name).template, "AWS::IAM::Role").values()
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert promotes in trust["Condition"]["ArnLike"]["aws:PrincipalArn"]


def test_two_accounts_deploy_the_same_template_each_for_itself(template: dict[str, Any], aws: MakeClient) -> None:
    for account in ("222222222222", "333333333333"):
        aws("cloudformation", account=account).create_stack(
            StackName="receives", TemplateBody=json.dumps(template), Capabilities=CAPABILITIES
        )
        iam = aws("iam", account=account)
        policy = iam.get_role_policy(RoleName="EC2ImageBuilderDistributionCrossAccountRole", PolicyName="Images")
        channels = [one for one in policy["PolicyDocument"]["Statement"] if one["Sid"].startswith("Channels")]
        assert f"arn:aws:ssm:*:{account}:parameter/imagebuilder/web/latest" in channels[0]["Resource"]
        assert iam.get_role(RoleName="Ec2ImageBuilderCrossAccountLifecycleAccess")["Role"]["Arn"].count(account) == 1
