"""Components, workflows and recipes over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.imagebuilder.managed_workflows import TEXTS

if TYPE_CHECKING:
    from tests.sandbox.imagebuilder.conftest import Account

OWN = "arn:aws:imagebuilder:us-east-1:123456789012"
AMAZON = "arn:aws:imagebuilder:us-east-1:aws"
OTHER = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - {name: R, action: Reboot}\n"
WORKFLOW = "schemaVersion: 1.0\nsteps:\n  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}\n"
WITH_PORT = "schemaVersion: 1.0\nparameters: [{Port: {type: integer}}]\n" + OTHER.partition("\n")[2]


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_new_content_makes_a_build_version_and_the_same_content_is_refused(account: Account) -> None:
    assert account.component() == f"{OWN}:component/apache/1.0.0/1"
    assert account.component(data=OTHER) == f"{OWN}:component/apache/1.0.0/2"

    with pytest.raises(ClientError) as caught:
        account.component(data=OTHER)

    assert code_of(caught) == "ResourceAlreadyExistsException"
    assert "apache/1.0.0/2" in str(caught.value)
    builds = account.builder.list_component_build_versions(componentVersionArn=f"{OWN}:component/apache/1.0.0")
    assert [found["arn"][-1] for found in builds["componentSummaryList"]] == ["2", "1"]


def test_names_of_one_normalized_form_are_one_name(account: Account) -> None:
    assert account.component("My Server") == f"{OWN}:component/my-server/1.0.0/1"
    assert account.component("my_server", data=OTHER) == f"{OWN}:component/my-server/1.0.0/2"


def test_a_component_is_found_by_version_and_by_wildcards(account: Account) -> None:
    account.component()
    account.component(data=OTHER)
    account.component(version="1.2.0")

    found = {
        tail: account.builder.get_component(componentBuildVersionArn=f"{OWN}:component/apache/{tail}")
        for tail in ("1.0.0/1", "1.0.0", "1.x.x", "x.x.x")
    }

    assert {tail: answer["component"]["arn"].partition("apache/")[2] for tail, answer in found.items()} == {
        "1.0.0/1": "1.0.0/1",
        "1.0.0": "1.0.0/2",
        "1.x.x": "1.2.0/1",
        "x.x.x": "1.2.0/1",
    }
    assert found["x.x.x"]["latestVersionReferences"]["latestMinorVersionArn"] == f"{OWN}:component/apache/1.2.x"


def test_a_component_tells_what_its_document_says(account: Account) -> None:
    arn = account.component(data=WITH_PORT)

    shown = account.builder.get_component(componentBuildVersionArn=arn)["component"]

    assert (shown["type"], shown["platform"], shown["data"]) == ("BUILD", "Linux", WITH_PORT)
    assert shown["parameters"] == [{"name": "Port", "type": "Integer"}]
    assert shown["state"] == {"status": "ACTIVE"}


def test_a_document_may_stand_in_s3(account: Account) -> None:
    account.aws("s3").create_bucket(Bucket="documents")
    account.aws("s3").put_object(Bucket="documents", Key="a/apache.yaml", Body=OTHER.encode())

    made = account.builder.create_component(
        name="apache", semanticVersion="1.0.0", platform="Linux", uri="s3://documents/a/apache.yaml"
    )

    shown = account.builder.get_component(componentBuildVersionArn=made["componentBuildVersionArn"])["component"]
    assert shown["data"] == OTHER


@pytest.mark.parametrize(
    ("request_part", "code", "why"),
    [
        ({"data": "a: b"}, "InvalidParameterValueException", "'data'"),
        ({"data": OTHER, "uri": "s3://a/b"}, "InvalidParameterCombinationException", "exactly one"),
        ({}, "InvalidParameterCombinationException", "exactly one"),
        ({"uri": "s3://no-such-bucket/key"}, "InvalidParameterValueException", "NoSuchBucket"),
        ({"uri": "https://a/b"}, "InvalidParameterValueException", "s3://bucket/key"),
        ({"data": "x" * 16_001}, "InvalidParameterValueException", "at most 16000 characters"),
        ({"data": OTHER, "semanticVersion": "1.0.x"}, "InvalidParameterValueException", "'semanticVersion'"),
        ({"data": OTHER, "semanticVersion": "1.0.1073741824"}, "InvalidVersionNumberException", "1073741823"),
        ({"data": OTHER, "platform": "BeOS"}, "InvalidParameterValueException", "'platform'"),
        ({"data": OTHER, "name": "a"}, "InvalidParameterValueException", "'name'"),
        ({"data": OTHER, "tags": {"aws:a": "b"}}, "InvalidParameterValueException", "'tags'"),
    ],
)
def test_a_component_that_cannot_be_is_refused(
    account: Account, request_part: dict[str, Any], code: str, why: str
) -> None:
    usual = {"name": "apache", "semanticVersion": "1.0.0", "platform": "Linux"}

    with pytest.raises(ClientError) as caught:
        account.builder.create_component(**{**usual, **request_part})

    assert code_of(caught) == code
    assert why in str(caught.value)


def test_components_are_listed_by_owner_filter_name_and_page(account: Account) -> None:
    account.component()
    account.component(version="1.1.0")
    account.component("nginx", data=OTHER.replace("build", "test"))
    listed = account.builder.list_components

    assert len(listed()["componentVersionList"]) == 3
    assert [found["version"] for found in listed(byName=True)["componentVersionList"]] == ["1.1.0", "1.0.0"]
    tests = listed(filters=[{"name": "type", "values": ["TEST"]}])["componentVersionList"]
    assert [found["arn"] for found in tests] == [f"{OWN}:component/nginx/1.0.0"]
    managed = listed(owner="Amazon", filters=[{"name": "name", "values": ["update-linux"]}])["componentVersionList"]
    assert managed[0]["arn"].startswith(f"{AMAZON}:component/update-linux/")
    first = listed(maxResults=2)
    rest = listed(maxResults=2, nextToken=first["nextToken"])
    assert [len(page["componentVersionList"]) for page in (first, rest)] == [2, 1]
    assert "nextToken" not in rest


def test_lists_refuse_unknown_filters_bad_tokens_and_mixed_options(account: Account) -> None:
    account.component()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"filters": [{"name": "colour", "values": ["red"]}]}, "InvalidParameterValueException"),
        ({"nextToken": "nonsense"}, "InvalidPaginationTokenException"),
        (
            {"byName": True, "filters": [{"name": "version", "values": ["1.0.0"]}]},
            "InvalidParameterCombinationException",
        ),
        ({"maxResults": 101}, "InvalidParameterValueException"),
    ]

    for request, code in cases:
        with pytest.raises(ClientError) as caught:
            account.builder.list_components(**request)
        assert code_of(caught) == code, request


def test_a_component_that_a_recipe_needs_cannot_be_deleted(account: Account) -> None:
    first, second = account.component(), account.component(data=OTHER)
    recipe = account.recipe(components=[{"componentArn": first}])

    with pytest.raises(ClientError) as caught:
        account.builder.delete_component(componentBuildVersionArn=first)
    account.builder.delete_component(componentBuildVersionArn=second)
    account.builder.delete_image_recipe(imageRecipeArn=recipe)
    account.builder.delete_component(componentBuildVersionArn=first)

    assert code_of(caught) == "ResourceDependencyException"
    assert recipe in str(caught.value)
    assert account.builder.list_components()["componentVersionList"] == []


def test_a_wildcard_reference_needs_only_its_last_match(account: Account) -> None:
    first = account.component()
    second = account.component(version="1.1.0")
    account.recipe(components=[{"componentArn": f"{OWN}:component/apache/1.x.x"}])

    account.builder.delete_component(componentBuildVersionArn=first)
    with pytest.raises(ClientError) as caught:
        account.builder.delete_component(componentBuildVersionArn=second)

    assert code_of(caught) == "ResourceDependencyException"


def test_recipes_count_their_versions(account: Account) -> None:
    assert [account.recipe() for _ in range(2)] == [f"{OWN}:image-recipe/web/1.0.0", f"{OWN}:image-recipe/web/1.0.1"]

    with pytest.raises(ClientError) as caught:
        account.recipe(version="1.0.1")

    assert code_of(caught) == "ResourceAlreadyExistsException"
    newest = account.builder.get_image_recipe(imageRecipeArn=f"{OWN}:image-recipe/web/1.0.x")["imageRecipe"]
    assert (newest["version"], newest["platform"]) == ("1.0.1", "Linux")
    listed = account.builder.list_image_recipes(filters=[{"name": "platform", "values": ["Linux"]}])
    assert len(listed["imageRecipeSummaryList"]) == 2


@pytest.mark.parametrize(
    "parent",
    [
        "ami-0123456789abcdef0",
        "ssm:/some/parameter",
        f"{AMAZON}:image/amazon-linux-2023-x86/x.x.x",
        f"{AMAZON}:image/ubuntu-server-24-lts-x86/x.x.x",
    ],
)
def test_every_form_of_parent_image_is_accepted(account: Account, parent: str) -> None:
    recipe = account.recipe(parent=parent)

    assert account.builder.get_image_recipe(imageRecipeArn=recipe)["imageRecipe"]["parentImage"] == parent


def test_a_windows_parent_makes_a_windows_recipe_and_takes_no_linux_components(account: Account) -> None:
    parent = f"{AMAZON}:image/windows-server-2022-english-full-base-x86/x.x.x"

    recipe = account.recipe(parent=parent, components=[{"componentArn": f"{AMAZON}:component/update-windows/x.x.x"}])
    with pytest.raises(ClientError) as caught:
        account.recipe(parent=parent, components=[{"componentArn": account.component()}])

    assert account.builder.get_image_recipe(imageRecipeArn=recipe)["imageRecipe"]["platform"] == "Windows"
    assert "'components[0].componentArn'" in str(caught.value)


@pytest.mark.parametrize(
    ("request_part", "why"),
    [
        ({"parent": "amazon-linux"}, "'parentImage'"),
        ({"parent": "ssm:"}, "'parentImage'"),
        ({"parent": f"{AMAZON}:image/no-such-image/x.x.x"}, "'parentImage'"),
        ({"parent": f"{AMAZON}:component/update-linux/x.x.x"}, "'parentImage'"),
        ({"parent": "prod-abcdefghijklm"}, "Marketplace"),
        ({"version": "1.x.0"}, "every node to the right"),
        ({"components": [{"componentArn": f"{OWN}:component/none/1.0.0/1"}]}, "'components[0].componentArn'"),
        ({"blockDeviceMappings": [{"ebs": {"volumeSize": 8}}]}, "'blockDeviceMappings[0].deviceName'"),
        (
            {"blockDeviceMappings": [{"deviceName": "/dev/xvda"}, {"deviceName": "/dev/xvda"}]},
            "'blockDeviceMappings[0].deviceName'",
        ),
        (
            {"blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"kmsKeyId": "alias/a"}}]},
            "'blockDeviceMappings[0].ebs.kmsKeyId'",
        ),
        (
            {"blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"volumeType": "gp2", "throughput": 200}}]},
            "'blockDeviceMappings[0].ebs.throughput'",
        ),
        (
            {"blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"volumeType": "io2"}}]},
            "'blockDeviceMappings[0].ebs.iops'",
        ),
        (
            {"blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": 16_001}}]},
            "'blockDeviceMappings[0].ebs.volumeSize'",
        ),
        ({"amiWatermarks": [" no "]}, "amiWatermarks"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(account: Account, request_part: dict[str, Any], why: str) -> None:
    with pytest.raises(ClientError) as caught:
        account.recipe(**request_part)

    assert why in str(caught.value)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_recipe_gives_components_the_parameters_they_declare(account: Account) -> None:
    component = account.component(data=WITH_PORT)

    recipe = account.recipe(components=[{"componentArn": component, "parameters": [{"name": "Port", "value": ["80"]}]}])
    with pytest.raises(ClientError) as caught:
        account.recipe(components=[{"componentArn": component}])

    shown = account.builder.get_image_recipe(imageRecipeArn=recipe)["imageRecipe"]
    assert shown["components"][0]["parameters"] == [{"name": "Port", "value": ["80"]}]
    assert "'components[0].parameters'" in str(caught.value)


def test_workflows_have_builds_like_components(account: Account) -> None:
    def create(data: str) -> str:
        made = account.builder.create_workflow(name="mine", semanticVersion="1.0.0", type="BUILD", data=data)
        return str(made["workflowBuildVersionArn"])

    first, second = create(WORKFLOW), create(WORKFLOW.replace("Launch,", "Start,"))
    with pytest.raises(ClientError) as caught:
        create("steps: []")

    assert (first, second) == (f"{OWN}:workflow/build/mine/1.0.0/1", f"{OWN}:workflow/build/mine/1.0.0/2")
    assert "'data'" in str(caught.value)
    shown = account.builder.get_workflow(workflowBuildVersionArn=f"{OWN}:workflow/build/mine/x.x.x")["workflow"]
    assert shown["arn"] == second
    listed = account.builder.list_workflows(filters=[{"name": "type", "values": ["BUILD"]}])["workflowVersionList"]
    assert [found["arn"] for found in listed] == [f"{OWN}:workflow/build/mine/1.0.0"]
    versions = account.builder.list_workflow_build_versions(workflowVersionArn=f"{OWN}:workflow/build/mine/1.0.0")
    assert len(versions["workflowSummaryList"]) == 2
    account.builder.delete_workflow(workflowBuildVersionArn=first)
    managed = account.builder.list_workflows(owner="Amazon")["workflowVersionList"]
    assert [f"workflow/{found['type'].lower()}/{found['name']}" for found in managed] == list(TEXTS)


def test_a_recipe_holds_twenty_components_and_only_such_as_support_its_system(account: Account) -> None:
    builder = account.builder
    made = builder.create_component(
        name="only-ubuntu",
        semanticVersion="1.0.0",
        platform="Linux",
        data=OTHER,
        supportedOsVersions=["Ubuntu 24"],
    )["componentBuildVersionArn"]
    managed = "arn:aws:imagebuilder:us-east-1:aws:image/{}/x.x.x"

    account.recipe("fits", parent=managed.format("ubuntu-server-24-lts-x86"), components=[{"componentArn": made}])

    with pytest.raises(ClientError) as other:
        account.recipe("other", parent=managed.format("amazon-linux-2023-x86"), components=[{"componentArn": made}])
    with pytest.raises(ClientError) as many:
        account.recipe("many", components=[{"componentArn": made}] * 21)
    assert "The component supports Ubuntu 24, the parent image is Amazon Linux 2023" in str(other.value)
    assert many.value.response["Error"]["Code"] == "ServiceQuotaExceededException"


def test_workflows_have_no_other_owners(account: Account) -> None:
    with pytest.raises(ClientError) as caught:
        account.builder.list_workflows(owner="Shared")

    assert "'owner'" in str(caught.value)
