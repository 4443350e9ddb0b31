"""Change sets, as the CDK command line uses them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.stacks import CAPABILITIES, Stacks, parameter, resource, trust

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


def make(stacks: Stacks, stack: str, resources: dict[str, Any], kind: str = "CREATE", **options: Any) -> dict[str, Any]:
    sections = options.pop("sections", {})
    answer = stacks.client.create_change_set(
        StackName=stack,
        ChangeSetName="plan",
        ChangeSetType=kind,
        TemplateBody=json.dumps({"Resources": resources, **sections}),
        Capabilities=CAPABILITIES,
        IncludeNestedStacks=True,
        **options,
    )
    return dict(stacks.client.describe_change_set(ChangeSetName=answer["Id"], StackName=answer["StackId"]))


def test_a_change_set_makes_a_stack_with_outputs_and_exports(stacks: Stacks) -> None:
    sections = {"Outputs": {"Name": {"Value": {"Ref": "One"}, "Export": {"Name": "exported"}}}}

    planned = make(stacks, "fresh", {"One": parameter("/one")}, sections=sections)
    before = stacks.client.describe_stacks(StackName="fresh")["Stacks"][0]["StackStatus"]
    stacks.client.execute_change_set(ChangeSetName=planned["ChangeSetId"])

    assert (before, stacks.settled("fresh")) == ("REVIEW_IN_PROGRESS", "CREATE_COMPLETE")
    change = planned["Changes"][0]["ResourceChange"]
    assert (change["Action"], change["LogicalResourceId"]) == ("Add", "One")
    assert stacks.outputs("fresh") == {"Name": "/one"}
    assert stacks.client.list_exports()["Exports"][0]["Name"] == "exported"
    assert stacks.client.list_change_sets(StackName="fresh")["Summaries"] == []


def test_a_change_set_names_every_change_with_its_replacement(stacks: Stacks) -> None:
    before = {
        "Same": parameter("/same"),
        "Place": parameter("/place", "a"),
        "Swap": parameter("/swap-a"),
        "User": parameter("/user", {"Ref": "Swap"}),
        "Gone": parameter("/gone"),
    }
    stacks.create("many", before)
    after = {
        "Same": parameter("/same"),
        "Place": parameter("/place", "b"),
        "Swap": parameter("/swap-b"),
        "User": parameter("/user", {"Ref": "Swap"}),
        "New": parameter("/new"),
    }

    planned = make(stacks, "many", after, "UPDATE")

    changes = {one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"] for one in planned["Changes"]}
    assert {name: (one["Action"], one.get("Replacement")) for name, one in changes.items()} == {
        "Place": ("Modify", "False"),
        "Swap": ("Modify", "True"),
        "User": ("Modify", "False"),
        "New": ("Add", None),
        "Gone": ("Remove", None),
    }
    detail = changes["Place"]["Details"][0]
    assert detail["Target"]["Name"] == "Value"
    assert (detail["Target"]["BeforeValue"], detail["Target"]["AfterValue"]) == ("a", "b")
    assert changes["User"]["Details"][0]["CausingEntity"] == "Swap"


def test_a_change_set_without_changes_fails_in_the_words_that_tools_know(stacks: Stacks) -> None:
    stacks.create("same", {"One": parameter("/one")})

    planned = make(stacks, "same", {"One": parameter("/one")}, "UPDATE")

    assert (planned["Status"], planned["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert planned["StatusReason"] == NO_CHANGES
    with pytest.raises(ClientError) as caught:
        stacks.client.execute_change_set(ChangeSetName="plan", StackName="same")
    assert caught.value.response["Error"]["Code"] == "InvalidChangeSetStatus"


@pytest.mark.parametrize("what", ["outputs", "tags", "metadata", "retention"])
def test_what_is_no_property_is_a_change_too(stacks: Stacks, what: str) -> None:
    stacks.create("beside", {"One": parameter("/one")})
    one = parameter("/one")
    options: dict[str, Any] = {}
    if what == "outputs":
        options["sections"] = {"Outputs": {"A": {"Value": "x"}}}
    elif what == "tags":
        options["Tags"] = [{"Key": "a", "Value": "b"}]
    elif what == "metadata":
        one["Metadata"] = {"a": "b"}
    else:
        one["DeletionPolicy"] = "Retain"

    planned = make(stacks, "beside", {"One": one}, "UPDATE", **options)
    stacks.client.execute_change_set(ChangeSetName=planned["ChangeSetId"])

    assert planned["Status"] == "CREATE_COMPLETE"
    assert stacks.settled("beside") == "UPDATE_COMPLETE"


def test_deleting_an_absent_change_set_is_no_error_but_reading_it_is(stacks: Stacks) -> None:
    stacks.create("some", {"One": parameter("/one")})

    stacks.client.delete_change_set(StackName="some", ChangeSetName="none")

    with pytest.raises(ClientError) as caught:
        stacks.client.describe_change_set(StackName="some", ChangeSetName="none")
    assert caught.value.response["Error"]["Code"] == "ChangeSetNotFound"
    assert type(caught.value).__name__ == "ChangeSetNotFoundException"


def test_a_name_is_free_again_after_its_change_set_is_deleted(stacks: Stacks) -> None:
    stacks.create("again", {"One": parameter("/one")})
    make(stacks, "again", {"One": parameter("/one", "two")}, "UPDATE")
    with pytest.raises(ClientError, match="already exists"):
        make(stacks, "again", {"One": parameter("/one", "two")}, "UPDATE")

    stacks.client.delete_change_set(StackName="again", ChangeSetName="plan")

    assert make(stacks, "again", {"One": parameter("/one", "two")}, "UPDATE")["Status"] == "CREATE_COMPLETE"


def test_the_kind_must_fit_the_stack(stacks: Stacks) -> None:
    with pytest.raises(ClientError, match="does not exist"):
        make(stacks, "none", {"One": parameter("/one")}, "UPDATE")
    stacks.create("there", {"One": parameter("/one")})
    with pytest.raises(ClientError, match="already exists"):
        make(stacks, "there", {"One": parameter("/one")}, "CREATE")
    with pytest.raises(ClientError, match="the sandbox does not support IMPORT"):
        make(stacks, "there", {"One": parameter("/one")}, "IMPORT")


def test_a_failed_create_by_change_set_rolls_back(stacks: Stacks) -> None:
    bad = resource("KMS::Alias", {"AliasName": "alias/none", "TargetKeyId": "00000000-0000-0000-0000-000000000000"})
    planned = make(stacks, "fails", {"Bad": bad})

    stacks.client.execute_change_set(ChangeSetName=planned["ChangeSetId"])

    assert stacks.settled("fails") == "ROLLBACK_COMPLETE"
    failed = stacks.client.describe_events(StackName="fails", Filters={"FailedEvents": True})["OperationEvents"]
    assert [event["LogicalResourceId"] for event in failed] == ["Bad"]


def test_iam_resources_ask_for_their_capability(stacks: Stacks) -> None:
    def template(properties: dict[str, Any]) -> str:
        return json.dumps({"Resources": {"Role": resource("IAM::Role", properties)}})

    plain = {"AssumeRolePolicyDocument": trust()}

    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_IAM\]") as caught:
        stacks.client.create_stack(StackName="role", TemplateBody=template(plain))
    assert caught.value.response["Error"]["Code"] == "InsufficientCapabilitiesException"
    with pytest.raises(ClientError, match=r"\[CAPABILITY_NAMED_IAM\]"):
        stacks.client.create_stack(
            StackName="role", TemplateBody=template({**plain, "RoleName": "r"}), Capabilities=["CAPABILITY_IAM"]
        )


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"A": {"Type": "AWS::Nothing::Here"}}, "Unrecognized resource types: [AWS::Nothing::Here]"),
        (
            {"A": resource("Athena::WorkGroup", {"Name": "w"})},
            "support these resource types: A (AWS::Athena",
        ),
        ({"A": {"Type": "Custom::Thing"}}, "A (Custom::Thing): #: required key [ServiceToken] not found"),
        ({"A": resource("CloudFormation::Stack")}, "does not support nested stacks: A"),
        ({"A": parameter("/a", Extra=1)}, "[/Resources/A] Encountered unsupported property Extra"),
        ({"A": resource("SSM::Parameter", {"Type": "String"})}, "A (AWS::SSM::Parameter): #/: required key [Value]"),
        ({"A": resource("SSM::Parameter", {"Type": "Text", "Value": "x"})}, "A (AWS::SSM::Parameter): #/Type: 'Text'"),
        ({"A": resource("EC2::VPC", {"CidrBlock": "10.0.0.0/16", "Dns": 1})}, "A (AWS::EC2::VPC): #/Dns: extraneous"),
        (
            {"A": resource("S3::Bucket", {"WebsiteConfiguration": {}})},
            "A (AWS::S3::Bucket): #/WebsiteConfiguration: the sandbox does not support this property",
        ),
        ({"A": parameter("/a", {"Ref": "Nobody"})}, "Unresolved resource dependencies [Nobody]"),
        ({"A": parameter("/a", {"Fn::GetAtt": ["B", "Wrong"]}), "B": parameter("/b")}, "attribute type Wrong"),
        ({"A": parameter("/a", {"Ref": "B"}), "B": parameter("/b", {"Ref": "A"})}, "Circular dependency"),
        ({"A": parameter("/a", {"Fn::Transform": {"Name": "x"}})}, "does not support the function Fn::Transform"),
        ({"A": parameter("/a", CreationPolicy={"ResourceSignal": {}})}, "does not support creation policies"),
        (
            {"A": parameter("/a", UpdatePolicy={"UseOnlineResharding": True})},
            "is not supported for AWS::SSM::Parameter",
        ),
    ],
)
def test_what_cannot_be_deployed_is_refused_before_anything_starts(
    stacks: Stacks, resources: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError) as caught:
        make(stacks, "refused", resources)

    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert words in caught.value.response["Error"]["Message"]
    assert stacks.client.list_stacks()["StackSummaries"] == []


def test_all_faults_of_a_template_are_named_at_once(stacks: Stacks) -> None:
    resources = {
        "A": resource("EC2::VPC", {"CidrBlock": "10.0.0.0/16", "Dns": 1}),
        "B": resource("EC2::Subnet", {"VpcId": {"Ref": "A"}, "Cidr": "x"}),
    }

    with pytest.raises(ClientError) as caught:
        make(stacks, "faults", resources)

    message = caught.value.response["Error"]["Message"]
    assert "A (AWS::EC2::VPC): #/Dns" in message
    assert "B (AWS::EC2::Subnet): #/Cidr" in message


def test_rules_of_a_template_are_checked(stacks: Stacks) -> None:
    sections = {
        "Parameters": {"Version": {"Type": "String", "Default": "5"}},
        "Rules": {
            "Known": {
                "Assertions": [
                    {
                        "Assert": {"Fn::Not": [{"Fn::Contains": [["1", "5"], {"Ref": "Version"}]}]},
                        "AssertDescription": "too old",
                    }
                ]
            }
        },
    }

    with pytest.raises(ClientError, match="Rule Known failed: too old"):
        make(stacks, "ruled", {"One": parameter("/one")}, sections=sections)


@pytest.mark.parametrize(
    ("call", "request_", "words"),
    [
        ("cancel_update_stack", {"StackName": "x"}, "cancelling updates"),
        ("create_stack_set", {"StackSetName": "x"}, "stack sets"),
        ("set_stack_policy", {"StackName": "x", "StackPolicyBody": "{}"}, "stack policies"),
        ("detect_stack_drift", {"StackName": "x"}, "drift detection"),
    ],
)
def test_operations_beyond_the_sandbox_are_refused_in_plain_words(
    stacks: Stacks, call: str, request_: dict[str, str], words: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(stacks.client, call)(**request_)

    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert words in caught.value.response["Error"]["Message"]
