"""Stacks made, failed and removed, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from threading import Event, Thread, Timer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.cloudformation.engine import Engine
from cdk_ami.sandbox.cloudformation.resources.base import HANDLERS
from cdk_ami.sandbox.server import Sandbox
from tests.support.sandbox import MakeClient, reset
from tests.support.stacks import Stacks, parameter, resource, trust

# The bucket's name is refused by S3, not by the schema: a failure that only the deployment finds.
FAILS = resource("KMS::Alias", {"AliasName": "alias/none", "TargetKeyId": "00000000-0000-0000-0000-000000000000"})


def refused(call: Callable[..., Any], **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**request)
    return str(caught.value.response["Error"]["Message"])


def test_a_stack_has_its_resources_outputs_and_exports(stacks: Stacks, aws: MakeClient) -> None:
    sections = {
        "Description": "what it is",
        "Parameters": {"Value": {"Type": "String"}},
        "Outputs": {
            "Name": {"Value": {"Ref": "One"}, "Description": "the name", "Export": {"Name": "one-name"}},
            "Value": {"Value": {"Fn::GetAtt": ["One", "Value"]}},
        },
    }

    status = stacks.create(
        "basic", {"One": parameter("/one", {"Ref": "Value"})}, parameters={"Value": "hello"}, sections=sections
    )

    assert status == "CREATE_COMPLETE"
    assert aws("ssm").get_parameter(Name="/one")["Parameter"]["Value"] == "hello"
    assert stacks.outputs("basic") == {"Name": "/one", "Value": "hello"}
    stack = stacks.client.describe_stacks(StackName="basic")["Stacks"][0]
    assert stack["Description"] == "what it is"
    assert stack["Parameters"] == [{"ParameterKey": "Value", "ParameterValue": "hello"}]
    export = stacks.client.list_exports()["Exports"]
    assert export == [{"ExportingStackId": stacks.ids["basic"], "Name": "one-name", "Value": "/one"}]


def test_the_template_is_given_back_as_it_came(stacks: Stacks) -> None:
    body = "Resources:\n  One: {Type: AWS::SNS::Topic} # kept\n"
    stacks.client.create_stack(StackName="text", TemplateBody=body)

    answer = stacks.client.get_template(StackName="text")

    assert answer["TemplateBody"] == body
    assert answer["StagesAvailable"] == ["Original", "Processed"]


def test_resources_are_made_after_what_they_wait_for(stacks: Stacks) -> None:
    resources = {
        "Last": parameter("/last", {"Ref": "Middle"}),
        "Middle": parameter("/middle", DependsOn=["First"]),
        "First": parameter("/first"),
    }

    stacks.create("order", resources)

    made = [name for name, status in stacks.history("order") if status == "CREATE_COMPLETE"]
    assert made == ["First", "Middle", "Last", "order"]


def test_events_come_newest_first_each_with_its_own_millisecond(stacks: Stacks) -> None:
    stacks.create("events", {f"P{index}": parameter(f"/p{index}") for index in range(60)})

    pages = stacks.client.get_paginator("describe_stack_events").paginate(StackName="events")
    times = [event["Timestamp"] for page in pages for event in page["StackEvents"]]

    assert len(times) == 122
    assert all(newer - older >= timedelta(milliseconds=1) for newer, older in pairwise(times))


def test_conditions_leave_resources_and_properties_out(stacks: Stacks, aws: MakeClient) -> None:
    sections = {
        "Parameters": {"Stage": {"Type": "String", "Default": "test"}},
        "Conditions": {"Live": {"Fn::Equals": [{"Ref": "Stage"}, "live"]}},
        "Outputs": {"Gone": {"Condition": "Live", "Value": {"Ref": "Gone"}}},
    }
    described = parameter("/kept")
    described["Properties"]["Description"] = {"Fn::If": ["Live", "live", {"Ref": "AWS::NoValue"}]}

    stacks.create("cond", {"Gone": parameter("/gone", Condition="Live"), "Kept": described}, sections=sections)

    found = aws("ssm").describe_parameters(
        ParameterFilters=[{"Key": "Name", "Option": "BeginsWith", "Values": ["/kept", "/gone"]}]
    )["Parameters"]
    assert [(one["Name"], one.get("Description")) for one in found] == [("/kept", None)]
    assert stacks.outputs("cond") == {}


def test_a_failed_create_removes_what_it_made_and_says_why(stacks: Stacks, aws: MakeClient) -> None:
    status = stacks.create("broken", {"One": parameter("/one"), "Bad": {**FAILS, "DependsOn": "One"}})

    assert status == "ROLLBACK_COMPLETE"
    assert aws("ssm").get_parameters(Names=["/one"])["InvalidParameters"] == ["/one"]
    assert "NotFoundException" in stacks.reasons("broken")[0]
    assert ("One", "DELETE_COMPLETE") in stacks.history("broken")
    assert "can not be updated" in refused(
        stacks.client.update_stack, StackName="broken", TemplateBody=json.dumps({"Resources": {"A": parameter("/a")}})
    )


def test_a_failed_create_keeps_what_its_policy_retains_except_on_create(stacks: Stacks, aws: MakeClient) -> None:
    resources = {
        "Kept": parameter("/kept", DeletionPolicy="Retain"),
        "Lost": parameter("/lost", DeletionPolicy="RetainExceptOnCreate"),
        "Bad": {**FAILS, "DependsOn": ["Kept", "Lost"]},
    }

    stacks.create("policies", resources)

    assert aws("ssm").get_parameters(Names=["/kept", "/lost"])["InvalidParameters"] == ["/lost"]


def test_a_create_without_roll_back_stays_failed_until_told(stacks: Stacks, aws: MakeClient) -> None:
    resources = {"One": parameter("/one"), "Bad": {**FAILS, "DependsOn": "One"}}

    assert stacks.create("paused", resources, DisableRollback=True) == "CREATE_FAILED"
    assert aws("ssm").get_parameter(Name="/one")["Parameter"]["Value"] == "one"

    stacks.client.rollback_stack(StackName="paused")
    assert stacks.settled("paused") == "ROLLBACK_COMPLETE"


def test_what_failed_to_be_made_is_made_by_the_update_that_mends_it(stacks: Stacks, aws: MakeClient) -> None:
    resources = {"One": parameter("/one"), "Bad": {**FAILS, "DependsOn": "One"}}
    stacks.create("mended", resources, DisableRollback=True)

    status = stacks.update("mended", {**resources, "Bad": parameter("/two", "two", DependsOn="One")})

    assert status == "UPDATE_COMPLETE", stacks.reasons("mended")
    assert aws("ssm").get_parameter(Name="/two")["Parameter"]["Value"] == "two"
    assert ("Bad", "CREATE_COMPLETE") in stacks.history("mended")


def test_an_update_of_a_stack_that_never_was_whole_rolls_back_to_nothing(stacks: Stacks, aws: MakeClient) -> None:
    resources = {"One": parameter("/one"), "Bad": {**FAILS, "DependsOn": "One"}}
    stacks.create("never", resources, DisableRollback=True)

    status = stacks.update("never", {**resources, "More": parameter("/more", DependsOn="Bad")})

    assert status == "ROLLBACK_COMPLETE", stacks.reasons("never")
    assert aws("ssm").get_parameters(Names=["/one", "/more"])["Parameters"] == []


def test_a_fault_of_the_engine_itself_ends_the_operation_and_is_named(
    stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks.create("broken", {"One": parameter("/one")})

    def fails(*_: object) -> None:
        raise KeyError("Surprise")

    monkeypatch.setattr(Engine, "_clean_up", fails)

    assert stacks.update("broken", {"One": parameter("/one", "two")}) == "UPDATE_FAILED"
    assert "Internal Failure: KeyError: 'Surprise'" in stacks.reasons("broken")


def test_a_reset_stops_what_runs_and_nothing_comes_anew(
    stacks: Stacks, sandbox: Sandbox, aws: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = Event(), Event()
    make = HANDLERS["AWS::SSM::Parameter"].create

    def held(context: Any, new: Any) -> Any:
        began.set()
        assert go_on.wait(10)
        return make(context, new)

    monkeypatch.setattr(HANDLERS["AWS::SSM::Parameter"], "create", held)
    waiting = Thread(
        target=lambda: stacks.client.create_stack(
            StackName="gone",
            TemplateBody=json.dumps({"Resources": {"A": parameter("/a"), "B": parameter("/b", DependsOn="A")}}),
        )
    )
    waiting.start()
    assert began.wait(10)
    Timer(0.2, go_on.set).start()

    reset(sandbox)
    waiting.join(10)

    assert stacks.client.list_stacks()["StackSummaries"] == []
    assert aws("ssm").get_parameters(Names=["/a", "/b"])["Parameters"] == []


def test_a_create_may_delete_the_stack_on_failure(stacks: Stacks) -> None:
    assert stacks.create("swept", {"Bad": FAILS}, OnFailure="DELETE") == "DELETE_COMPLETE"


def test_a_deleted_stack_is_found_by_its_id_only(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("gone", {"One": parameter("/one"), "Kept": parameter("/kept", DeletionPolicy="Retain")})

    assert stacks.delete("gone") == "DELETE_COMPLETE"

    assert aws("ssm").get_parameters(Names=["/one", "/kept"])["InvalidParameters"] == ["/one"]
    assert refused(stacks.client.describe_stacks, StackName="gone") == "Stack with id gone does not exist"
    listed = stacks.client.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert [one["StackName"] for one in listed] == ["gone"]
    stacks.client.delete_stack(StackName="gone")


def test_a_bucket_that_holds_something_fails_the_deletion(stacks: Stacks, aws: MakeClient) -> None:
    stacks.create("full", {"Bucket": resource("S3::Bucket", {"BucketName": "full-bucket"})})
    aws("s3").put_object(Bucket="full-bucket", Key="a", Body=b"x")

    assert stacks.delete("full") == "DELETE_FAILED"
    assert "BucketNotEmpty" in stacks.reasons("full")[0]

    assert stacks.delete("full", RetainResources=["Bucket"]) == "DELETE_COMPLETE"
    assert [bucket["Name"] for bucket in aws("s3").list_buckets()["Buckets"]] == ["full-bucket"]


def test_termination_protection_is_enforced(stacks: Stacks) -> None:
    stacks.create("safe", {"One": parameter("/one")}, EnableTerminationProtection=True)

    message = refused(stacks.client.delete_stack, StackName="safe")
    stacks.client.update_termination_protection(StackName="safe", EnableTerminationProtection=False)

    assert message == "Stack [safe] cannot be deleted while TerminationProtection is enabled"
    assert stacks.delete("safe") == "DELETE_COMPLETE"


def test_an_export_in_use_cannot_be_removed(stacks: Stacks) -> None:
    sections = {"Outputs": {"Name": {"Value": {"Ref": "One"}, "Export": {"Name": "shared"}}}}
    stacks.create("giver", {"One": parameter("/one")}, sections=sections)
    stacks.create("taker", {"Two": parameter("/two", {"Fn::ImportValue": "shared"})})

    assert stacks.client.list_imports(ExportName="shared")["Imports"] == ["taker"]
    message = refused(stacks.client.delete_stack, StackName="giver")
    assert message == "Export shared cannot be deleted as it is in use by taker"
    assert stacks.update("giver", {"One": parameter("/one", "two")}) == "UPDATE_ROLLBACK_COMPLETE"

    stacks.delete("taker")
    assert stacks.delete("giver") == "DELETE_COMPLETE"


def test_a_missing_import_is_refused_before_anything_starts(stacks: Stacks) -> None:
    body = json.dumps({"Resources": {"Two": parameter("/two", {"Fn::ImportValue": "nothing"})}})

    message = refused(stacks.client.create_stack, StackName="taker", TemplateBody=body)

    assert message == "No export named nothing found."
    assert stacks.client.list_stacks()["StackSummaries"] == []


def test_accounts_and_regions_have_stacks_of_their_own(stacks_in: Callable[..., Stacks], aws: MakeClient) -> None:
    here, there = stacks_in("us-east-1"), stacks_in("eu-west-1", "210987654321")
    sections = {"Outputs": {"Where": {"Value": {"Fn::Sub": "${AWS::AccountId}/${AWS::Region}"}}}}

    here.create("same", {"One": parameter("/one", "here")}, sections=sections)
    there.create("same", {"One": parameter("/one", "there")}, sections=sections)

    assert here.outputs("same") == {"Where": "123456789012/us-east-1"}
    assert there.outputs("same") == {"Where": "210987654321/eu-west-1"}
    far = aws("ssm", "eu-west-1", account="210987654321")
    assert far.get_parameter(Name="/one")["Parameter"]["Value"] == "there"


def test_a_template_may_lie_in_a_bucket(stacks: Stacks, aws: MakeClient) -> None:
    aws("s3").create_bucket(Bucket="templates")
    aws("s3").put_object(Bucket="templates", Key="a/b.json", Body=json.dumps({"Resources": {"One": parameter("/one")}}))
    endpoint = aws("s3").meta.endpoint_url

    stacks.client.create_stack(StackName="path", TemplateURL=f"{endpoint}/templates/a/b.json")
    summary = stacks.client.get_template_summary(TemplateURL="https://templates.s3.us-east-1.amazonaws.com/a/b.json")

    assert stacks.settled("path") == "CREATE_COMPLETE"
    assert summary["ResourceTypes"] == ["AWS::SSM::Parameter"]
    message = refused(stacks.client.create_stack, StackName="no", TemplateURL=f"{endpoint}/templates/none.json")
    assert message.startswith("S3 error:")


def test_stack_tags_reach_the_resources_and_follow_changes(stacks: Stacks, aws: MakeClient) -> None:
    resources = {"One": parameter("/one"), "Role": resource("IAM::Role", {"AssumeRolePolicyDocument": trust()})}
    stacks.create("tagged", resources, Tags=[{"Key": "team", "Value": "a"}, {"Key": "old", "Value": "x"}])

    stacks.update("tagged", resources, Tags=[{"Key": "team", "Value": "b"}])

    role = stacks.physical_id("tagged", "Role")
    assert aws("iam").list_role_tags(RoleName=role)["Tags"] == [{"Key": "team", "Value": "b"}]
    tags = aws("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId="/one")["TagList"]
    assert tags == [{"Key": "team", "Value": "b"}]


def test_dynamic_references_are_read_when_the_resource_is_made(stacks: Stacks, aws: MakeClient) -> None:
    aws("ssm").put_parameter(Name="/source", Value="from the store", Type="String")

    stacks.create("dynamic", {"One": parameter("/one", "{{resolve:ssm:/source}}!")})

    assert aws("ssm").get_parameter(Name="/one")["Parameter"]["Value"] == "from the store!"
