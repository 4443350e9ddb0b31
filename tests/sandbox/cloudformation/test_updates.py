"""Stacks changed: in place, by replacement, and back again when it fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.server import Sandbox
from tests.support.control import ask
from tests.support.happenings import Happenings
from tests.support.sandbox import MakeClient
from tests.support.stacks import Stacks, parameter, resource, trust

AMI_TYPE = "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
FAILS = resource("KMS::Alias", {"AliasName": "alias/none", "TargetKeyId": "00000000-0000-0000-0000-000000000000"})


def value(aws: MakeClient, name: str) -> str | None:
    found = aws("ssm").get_parameters(Names=[name])["Parameters"]
    return str(found[0]["Value"]) if found else None


def test_a_property_changes_in_place(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("place", {"One": parameter("/one", "a")})

    assert stacks.update("place", {"One": parameter("/one", "b")}) == "UPDATE_COMPLETE"

    assert value(aws, "/one") == "b"
    assert ("One", "UPDATE_COMPLETE") in stacks.history("place")


def test_an_update_without_changes_is_refused_in_the_service_s_words(stacks: Stacks) -> None:
    stacks.create("same", {"One": parameter("/one")})

    with pytest.raises(ClientError) as caught:
        stacks.update("same", {"One": parameter("/one")})

    assert caught.value.response["Error"]["Message"] == "No updates are to be performed."
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_a_replacement_is_made_first_and_the_old_one_removed_afterwards(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("swap", {"One": parameter("/one"), "User": parameter("/user", {"Ref": "One"})})

    status = stacks.update("swap", {"One": parameter("/two"), "User": parameter("/user", {"Ref": "One"})})

    assert status == "UPDATE_COMPLETE"
    assert (value(aws, "/one"), value(aws, "/two"), value(aws, "/user")) == (None, "one", "/two")
    history = stacks.history("swap")
    assert history.index(("swap", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")) < history.index(("One", "DELETE_COMPLETE"))
    assert stacks.physical_id("swap", "One") == "/two"


def test_a_replaced_resource_stays_when_its_policy_says_so(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("keep", {"One": parameter("/one", UpdateReplacePolicy="Retain")})

    stacks.update("keep", {"One": parameter("/two", UpdateReplacePolicy="Retain")})

    assert (value(aws, "/one"), value(aws, "/two")) == ("one", "one")
    assert ("One", "DELETE_SKIPPED") in stacks.history("keep")


def test_removed_resources_go_users_first(stacks: Stacks, aws: MakeClient) -> None:
    keep = {"Keep": parameter("/keep")}
    removed = {
        "Role": resource("IAM::Role", {"AssumeRolePolicyDocument": trust()}),
        "Profile": resource("IAM::InstanceProfile", {"Roles": [{"Ref": "Role"}]}),
        "Kept": parameter("/kept", DeletionPolicy="Retain"),
    }
    stacks.create("less", {**keep, **removed})

    stacks.update("less", keep)

    deleted = [name for name, status in stacks.history("less") if status == "DELETE_COMPLETE"]
    assert deleted == ["Profile", "Role"]
    assert value(aws, "/kept") == "one"
    left = stacks.client.list_stack_resources(StackName="less")["StackResourceSummaries"]
    assert [one["LogicalResourceId"] for one in left] == ["Keep"]


def test_a_failed_update_restores_properties_replacements_and_outputs(stacks: Stacks, aws: MakeClient) -> None:
    def sections(output: str) -> dict[str, Any]:
        return {"Outputs": {"Says": {"Value": output}}}

    stacks.create(
        "undo",
        {"Place": parameter("/place", "a"), "Swap": parameter("/swap-a"), "Gone": parameter("/gone")},
        sections=sections("before"),
    )

    status = stacks.update(
        "undo",
        {
            "Place": parameter("/place", "b"),
            "Swap": parameter("/swap-b"),
            "New": parameter("/new"),
            "Bad": {**FAILS, "DependsOn": ["Place", "Swap", "New"]},
        },
        sections=sections("after"),
    )

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert value(aws, "/place") == "a"
    assert (value(aws, "/swap-a"), value(aws, "/swap-b")) == ("one", None)
    assert (value(aws, "/gone"), value(aws, "/new")) == ("one", None)
    assert stacks.outputs("undo") == {"Says": "before"}
    resources = stacks.client.describe_stack_resources(StackName="undo")["StackResources"]
    assert {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources} == {
        "Place": "/place",
        "Swap": "/swap-a",
        "Gone": "/gone",
    }
    statuses = [status for name, status in stacks.history("undo") if name == "undo"]
    assert statuses[2:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
    assert stacks.update("undo", {"Place": parameter("/place", "c")}) == "UPDATE_COMPLETE"


def test_an_update_that_fails_half_way_in_one_resource_is_taken_back(stacks: Stacks, aws: MakeClient) -> None:
    def role(description: str, policy: str) -> dict[str, Any]:
        properties = {
            "RoleName": "half",
            "Description": description,
            "AssumeRolePolicyDocument": trust(),
            "ManagedPolicyArns": [policy],
        }
        return {"Role": resource("IAM::Role", properties)}

    good = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    stacks.create("half", role("before", good))

    status = stacks.update("half", role("after", "arn:aws:iam::aws:policy/Nothing"))

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert aws("iam").get_role(RoleName="half")["Role"]["Description"] == "before"
    attached = aws("iam").list_attached_role_policies(RoleName="half")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [good]


def test_an_update_without_roll_back_stays_failed_until_told(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("paused", {"One": parameter("/one", "a")})

    status = stacks.update(
        "paused", {"One": parameter("/one", "b"), "Bad": {**FAILS, "DependsOn": "One"}}, DisableRollback=True
    )
    assert (status, value(aws, "/one")) == ("UPDATE_FAILED", "b")

    stacks.client.rollback_stack(StackName="paused")
    assert (stacks.settled("paused"), value(aws, "/one")) == ("UPDATE_ROLLBACK_COMPLETE", "a")


def test_a_stored_parameter_is_read_anew_with_the_previous_template_and_value(stacks: Stacks, aws: MakeClient) -> None:
    ssm = aws("ssm")
    for name in ("/channel", "/other"):
        ssm.put_parameter(Name=name, Value="ami-11111111", Type="String")
    sections = {"Parameters": {"Ami": {"Type": AMI_TYPE, "Default": "/other"}}}
    stacks.create(
        "reads", {"One": parameter("/one", {"Ref": "Ami"})}, parameters={"Ami": "/channel"}, sections=sections
    )
    previous = {
        "StackName": "reads",
        "UsePreviousTemplate": True,
        "Parameters": [{"ParameterKey": "Ami", "UsePreviousValue": True}],
    }
    with pytest.raises(ClientError, match="No updates are to be performed"):
        stacks.client.update_stack(**previous)

    ssm.put_parameter(Name="/channel", Value="ami-22222222", Type="String", Overwrite=True)
    stacks.client.update_stack(**previous)

    assert stacks.settled("reads") == "UPDATE_COMPLETE"
    assert value(aws, "/one") == "ami-22222222"
    shown = stacks.client.describe_stacks(StackName="reads")["Stacks"][0]["Parameters"]
    assert shown == [{"ParameterKey": "Ami", "ParameterValue": "/channel", "ResolvedValue": "ami-22222222"}]


def test_a_token_begins_one_update_which_answers_at_once_and_tells_each_status(
    stacks: Stacks, aws: MakeClient, sandbox: Sandbox
) -> None:
    it = Happenings(sandbox, aws)
    stacks.create("once", {"One": parameter("/one")})
    asked = {
        "StackName": "once",
        "TemplateBody": json.dumps({"Resources": {"One": parameter("/one", "two")}}),
        "ClientRequestToken": "try-1",
    }
    held = ask(sandbox, "faults", service="ssm", operation="PutParameter", latency=1e9, callers="engines")["id"]

    stacks.client.update_stack(**asked)
    begun = stacks.client.describe_stacks(StackName="once")["Stacks"][0]["StackStatus"]
    with pytest.raises(ClientError, match="TokenAlreadyExists"):
        stacks.client.update_stack(**asked)
    ask(sandbox, "faults", method="DELETE", id=held)

    assert (begun, stacks.settled("once")) == ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")
    told = [event["detail"] for event in it.log("CloudFormation Stack Status Change")]
    assert [one["status-details"]["status"] for one in told] == [
        "CREATE_IN_PROGRESS",
        "CREATE_COMPLETE",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
    ]
    assert {one["stack-id"] for one in told} == {stacks.ids["once"]}
    assert [one["client-request-token"] for one in told] == ["", "", "try-1", "try-1", "try-1"]


def test_a_missing_stored_parameter_fails_at_once_and_touches_nothing(stacks: Stacks) -> None:
    sections = {"Parameters": {"Ami": {"Type": AMI_TYPE, "Default": "/x/y"}}}

    with pytest.raises(ClientError) as caught:
        stacks.create("missing", {"One": parameter("/one", {"Ref": "Ami"})}, sections=sections)

    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert "Unable to fetch parameters [/x/y] from parameter store for this account." in str(caught.value)
    assert stacks.client.list_stacks()["StackSummaries"] == []


def test_a_changed_type_replaces_the_resource(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("types", {"One": parameter("/one")})

    stacks.update("types", {"One": resource("SNS::Topic", {"TopicName": "one"})})

    assert value(aws, "/one") is None
    assert stacks.physical_id("types", "One").endswith(":one")


def test_continuing_a_roll_back_is_only_for_those_that_failed(stacks: Stacks) -> None:
    stacks.create("fine", {"One": parameter("/one")})

    with pytest.raises(ClientError, match="can not be rolled back from"):
        stacks.client.continue_update_rollback(StackName="fine")


def test_a_failed_roll_back_can_be_continued(stacks: Stacks, aws: MakeClient) -> None:
    role = {"Role": resource("IAM::Role", {"RoleName": "r", "AssumeRolePolicyDocument": trust(), "Description": "a"})}
    stacks.create("stuck", role)
    role["Role"]["Properties"]["Description"] = "b"
    failing = {**role, "Bad": {**FAILS, "DependsOn": "Role"}}
    stacks.update("stuck", failing, DisableRollback=True)
    aws("iam").delete_role(RoleName="r")

    stacks.client.rollback_stack(StackName="stuck")
    assert stacks.settled("stuck") == "UPDATE_ROLLBACK_FAILED"
    aws("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust()))
    stacks.client.continue_update_rollback(StackName="stuck")

    assert stacks.settled("stuck") == "UPDATE_ROLLBACK_COMPLETE"
    assert aws("iam").get_role(RoleName="r")["Role"]["Description"] == "a"
