from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import aws_cdk as cdk
import pytest

from cdk_ami import AccountGuard, ImageCriterion
from cdk_ami.runtime.audit import audit
from cdk_ami.runtime.regions import RegionClients
from cdk_ami.sandbox.server import Sandbox
from cdk_ami.sandbox.testing import LocalAws
from cdk_ami.sandbox.testing.control import Control
from tests.support.synth import make_app, make_stack, only_resource, resources_of, template_of

CRITERIA = [
    ImageCriterion(providers=["amazon", "210987654321"], max_deprecated_days=0),
    ImageCriterion(names=["web-*"], max_age_days=90),
]


def everything(stack: cdk.Stack, *, enforce: bool = False) -> AccountGuard:
    return AccountGuard(
        stack,
        "Guard",
        block_public_images=True,
        block_public_snapshots="block-all-sharing",
        allowed_images=CRITERIA,
        enforce_allowed_images=enforce,
        encrypt_ebs_by_default=True,
        require_imdsv2=True,
        imds_hop_limit=1,
    )


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    stack = make_stack()
    everything(stack)
    return template_of(stack)


def settings(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the resources that make calls, by the operation that they call."""
    found = resources_of(template, "Custom::AccountSetting")
    return {json.loads(one["Properties"]["Create"])["action"]: one | {"Id": name} for name, one in found.items()}


def test_each_setting_is_one_call_for_creation_and_for_change_and_none_for_deletion(template: dict[str, Any]) -> None:
    made = settings(template)

    assert {name: json.loads(one["Properties"]["Create"]).get("parameters") for name, one in made.items()} == {
        "enableImageBlockPublicAccess": {"ImageBlockPublicAccessState": "block-new-sharing"},
        "replaceImageCriteriaInAllowedImagesSettings": {
            "ImageCriteria": [
                {
                    "ImageProviders": ["amazon", "210987654321"],
                    "DeprecationTimeCondition": {"MaximumDaysSinceDeprecated": 0},
                },
                {"ImageNames": ["web-*"], "CreationDateCondition": {"MaximumDaysSinceCreated": 90}},
            ]
        },
        "enableAllowedImagesSettings": {"AllowedImagesSettingsState": "audit-mode"},
        "enableEbsEncryptionByDefault": {},
        "modifyInstanceMetadataDefaults": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
    }
    assert [one["Properties"]["Update"] for one in made.values()] == [
        one["Properties"]["Create"] for one in made.values()
    ]
    assert [name for name, one in made.items() if "Delete" in one["Properties"]] == []


def test_criteria_stand_before_allowed_amis_are_switched_on(template: dict[str, Any]) -> None:
    made = settings(template)

    first = made["replaceImageCriteriaInAllowedImagesSettings"]["Id"]

    assert first in made["enableAllowedImagesSettings"]["DependsOn"]


def test_a_stack_that_goes_leaves_snapshots_blocked(template: dict[str, Any]) -> None:
    blocked = only_resource(template, "AWS::EC2::SnapshotBlockPublicAccess")

    assert blocked["Properties"] == {"State": "block-all-sharing"}
    assert (blocked["DeletionPolicy"], blocked["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_function_may_make_these_calls_in_this_region_and_nothing_else(template: dict[str, Any]) -> None:
    statements = [
        statement
        for policy in resources_of(template, "AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]

    assert sorted(statement["Action"] for statement in statements) == sorted(
        f"ec2:{name[0].upper()}{name[1:]}" for name in settings(template)
    )
    assert [one["Condition"] for one in statements] == [
        {"StringEquals": {"aws:RequestedRegion": "us-east-1"}} for _ in statements
    ]


def test_a_guard_that_sets_one_thing_renders_one_thing() -> None:
    stack = make_stack()
    AccountGuard(stack, "Guard", block_public_snapshots="block-new-sharing")

    template = template_of(stack)

    assert [one["Type"] for one in template["Resources"].values()] == ["AWS::EC2::SnapshotBlockPublicAccess"]


def test_what_only_the_deployment_knows_goes_into_the_calls() -> None:
    stack = make_stack()
    account = cdk.CfnParameter(stack, "Account").value_as_string
    days, hops = (cdk.CfnParameter(stack, name, type="Number").value_as_number for name in ("Days", "Hops"))
    criterion = ImageCriterion(providers=[account], max_age_days=days)  # type: ignore[arg-type]
    AccountGuard(stack, "Guard", allowed_images=[criterion], imds_hop_limit=hops)  # type: ignore[arg-type]

    template = template_of(stack)

    calls = [one["Properties"]["Create"] for one in resources_of(template, "Custom::AccountSetting").values()]
    assert set(re.findall(r'{"Ref": "(\w+)"}', json.dumps(calls))) == {"Account", "Days", "Hops"}


def test_enforcing_allowed_amis_warns_and_audit_mode_does_not() -> None:
    warned, silent = make_stack(), make_stack()
    everything(silent)

    everything(warned, enforce=True)

    assert [entry.data for entry in silent.node.find_child("Guard").node.metadata] == []
    (entry,) = warned.node.find_child("Guard").node.metadata
    assert "see what cdk-ami audit lists" in entry.data
    assert entry.data.endswith("[ack: cdk-ami::AllowedImagesEnforced]")


@pytest.fixture
def local(sandbox: Sandbox) -> Iterator[LocalAws]:
    """The class around the one server of the session, which is emptied before each test."""
    made = LocalAws()
    made._server, made._control = sandbox, Control(sandbox.endpoint)
    yield made
    made.reset()


def app_of(make: Any) -> cdk.App:
    app = make_app()
    make(make_stack("Guard", app=app))
    return app


def state(ec2: Any) -> dict[str, str]:
    """Return each setting's status, as the audit sees it."""
    clients = RegionClients(region="any", ec2=ec2, ssm=None, imagebuilder=None)
    return {one.setting: one.status for one in audit(clients)}


def test_a_deployed_guard_leaves_nothing_to_change_in_its_region_and_stays_when_it_is_destroyed(
    local: LocalAws,
) -> None:
    ec2, there, stacks = (
        local.client(service, region)
        for service, region in (("ec2", "us-east-1"), ("ec2", "eu-west-1"), ("cloudformation", "us-east-1"))
    )
    ec2.disable_image_block_public_access()
    before, elsewhere = state(ec2), state(there)

    local.deploy(app_of(everything))
    guarded, allowed = state(ec2), ec2.get_allowed_images_settings()
    local.deploy(app_of(lambda stack: everything(stack, enforce=True)))
    enforced = ec2.get_allowed_images_settings()
    stacks.delete_stack(StackName="Guard")
    gone = stacks.get_waiter("stack_delete_complete")
    gone.wait(StackName="Guard", WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})

    assert set(before.values()) == {"change"}
    assert set(guarded.values()) == {"ok"}
    assert (allowed["State"], len(allowed["ImageCriteria"])) == ("audit-mode", 2)
    assert (enforced["State"], enforced["ImageCriteria"]) == ("enabled", allowed["ImageCriteria"])
    assert state(ec2) == guarded
    assert state(there) == elsewhere
