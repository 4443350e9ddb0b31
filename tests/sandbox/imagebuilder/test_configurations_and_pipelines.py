"""Infrastructure, distribution, pipelines and lifecycle policies over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.sandbox.imagebuilder.conftest import Account

OWN = "arn:aws:imagebuilder:us-east-1:123456789012"
AMAZON = "arn:aws:imagebuilder:us-east-1:aws"
DATED = "web {{ imagebuilder:buildDate }}"
LICENSE = "arn:aws:license-manager:us-east-1:123456789012:license-configuration:lic-0123456789abcdef0123456789abcdef"
ROLE = "arn:aws:iam::123456789012:role/builder"


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def target(region: str = "us-east-1", **more: Any) -> dict[str, Any]:
    return {"region": region, "amiDistributionConfiguration": {"name": DATED}, **more}


def test_an_infrastructure_configuration_is_kept_whole_and_replaced_whole(account: Account) -> None:
    arn = account.infrastructure(
        instanceTypes=["t3.micro"],
        resourceTags={"team": "web"},
        instanceMetadataOptions={"httpTokens": "required", "httpPutResponseHopLimit": 2},
        terminateInstanceOnFailure=False,
    )
    before = account.builder.get_infrastructure_configuration(infrastructureConfigurationArn=arn)
    account.builder.update_infrastructure_configuration(
        infrastructureConfigurationArn=arn, instanceProfileName="builder", description="new"
    )

    after = account.builder.get_infrastructure_configuration(infrastructureConfigurationArn=arn)

    shown = before["infrastructureConfiguration"]
    assert (shown["instanceTypes"], shown["resourceTags"]) == (["t3.micro"], {"team": "web"})
    assert (shown["terminateInstanceOnFailure"], shown["terminateInstanceOnCompletion"]) == (False, True)
    assert after["infrastructureConfiguration"]["description"] == "new"
    assert "instanceTypes" not in after["infrastructureConfiguration"]
    listed = account.builder.list_infrastructure_configurations(filters=[{"name": "name", "values": ["builds"]}])
    assert [found["arn"] for found in listed["infrastructureConfigurationSummaryList"]] == [arn]


@pytest.mark.parametrize(
    ("request_part", "why"),
    [
        ({"subnetId": "subnet-1"}, "'securityGroupIds'"),
        ({"instanceProfileName": "nobody"}, "The provided instance profile does not exist"),
        ({"resourceTags": {"Name": "mine"}}, "'resourceTags'"),
        ({"resourceTags": {"CreatedBy": "me"}}, "'resourceTags'"),
        ({"keyPair": "no-such-key"}, "'keyPair'"),
        ({"snsTopicArn": "arn:aws:sns:us-east-1:123456789012:none"}, "'snsTopicArn'"),
        ({"instanceMetadataOptions": {"httpPutResponseHopLimit": 65}}, "httpPutResponseHopLimit"),
        ({"parentInstance": {"autoScalingGroup": {"name": "warm"}}}, "parentInstance"),
    ],
)
def test_an_infrastructure_configuration_that_cannot_be_is_refused(
    account: Account, request_part: dict[str, Any], why: str
) -> None:
    with pytest.raises(ClientError) as caught:
        account.builder.create_infrastructure_configuration(
            **{"name": "builds", "instanceProfileName": "builder", **request_part}
        )

    assert why in str(caught.value)


def test_names_of_one_normalized_form_exist_once(account: Account) -> None:
    account.infrastructure("My Builds")

    with pytest.raises(ClientError) as caught:
        account.infrastructure("my_builds")

    assert code_of(caught) == "ResourceAlreadyExistsException"
    assert f"{OWN}:infrastructure-configuration/my-builds" in str(caught.value)


def test_a_distribution_configuration_is_kept_and_replaced(account: Account) -> None:
    arn = account.distribution(target(), target("eu-west-1"))

    listed = account.builder.list_distribution_configurations()["distributionConfigurationSummaryList"]
    account.builder.update_distribution_configuration(
        distributionConfigurationArn=arn, distributions=[target("eu-west-1")]
    )

    assert listed[0]["regions"] == ["us-east-1", "eu-west-1"]
    shown = account.builder.get_distribution_configuration(distributionConfigurationArn=arn)
    assert [found["region"] for found in shown["distributionConfiguration"]["distributions"]] == ["eu-west-1"]


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        ([], "'distributions'"),
        ([target(), target()], "once only"),
        ([target("mars-north-1")], "'distributions[0].region'"),
        ([{"region": "us-east-1"}], "One or more outputs"),
        ([{"region": "us-east-1", "amiDistributionConfiguration": {}}], "One or more outputs"),
        ([{"region": "us-east-1", "amiDistributionConfiguration": {"name": "web"}}], "imagebuilder:buildDate"),
        ([target(launchTemplateConfigurations=[{"launchTemplateId": "web"}])], "launchTemplateId"),
        (
            [target(launchTemplateConfigurations=[{"launchTemplateId": "lt-0123456789abcdef0"}])],
            "does not exist in us-east-1",
        ),
        (
            [target(ssmParameterConfigurations=[{"parameterName": "/a", "amiAccountId": "111111111111"}])],
            "no target account",
        ),
        ([target(ssmParameterConfigurations=[{"parameterName": "a b"}])], "parameterName"),
        (
            [target(fastLaunchConfigurations=[{"enabled": True, "accountId": "111111111111"}])],
            "fastLaunchConfigurations[0].accountId",
        ),
        ([target(licenseConfigurationArns=[LICENSE])], "licenseConfigurationArns"),
        (
            [{"region": "us-east-1", "amiDistributionConfiguration": {"launchPermission": {"userGroups": ["some"]}}}],
            "userGroups",
        ),
    ],
)
def test_a_distribution_that_cannot_be_is_refused(account: Account, targets: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(ClientError) as caught:
        account.distribution(*targets)

    assert why in str(caught.value)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_pipeline_is_kept_with_its_defaults_and_listed_by_its_parts(account: Account) -> None:
    recipe, infrastructure = account.recipe(), account.infrastructure()
    arn = account.pipeline(
        recipe,
        infrastructure,
        schedule={"scheduleExpression": "cron(0 4 ? * sun *)", "autoDisablePolicy": {"failureCount": 3}},
        imageTags={"team": "web"},
    )

    shown = account.builder.get_image_pipeline(imagePipelineArn=arn)["imagePipeline"]

    assert (shown["status"], shown["platform"], shown["consecutiveFailures"]) == ("ENABLED", "Linux", 0)
    assert shown["schedule"] == {
        "scheduleExpression": "cron(0 4 ? * sun *)",
        "timezone": "Etc/UTC",
        "pipelineExecutionStartCondition": "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE",
        "autoDisablePolicy": {"failureCount": 3},
    }
    assert shown["imageTestsConfiguration"]["imageTestsEnabled"] is True
    listed = account.builder.list_image_pipelines(filters=[{"name": "imageRecipeArn", "values": [recipe]}])
    assert [found["arn"] for found in listed["imagePipelineList"]] == [arn]
    account.builder.update_image_pipeline(
        imagePipelineArn=arn,
        imageRecipeArn=recipe,
        infrastructureConfigurationArn=infrastructure,
        status="DISABLED",
    )
    after = account.builder.get_image_pipeline(imagePipelineArn=arn)["imagePipeline"]
    assert (after["status"], "schedule" in after, "imageTags" in after) == ("DISABLED", False, False)


@pytest.mark.parametrize(
    ("request_part", "why"),
    [
        ({"imageRecipeArn": f"{OWN}:image-recipe/none/1.0.0"}, "'imageRecipeArn'"),
        ({"infrastructureConfigurationArn": f"{OWN}:infrastructure-configuration/none"}, "'infrastructureConfig"),
        ({"distributionConfigurationArn": f"{OWN}:distribution-configuration/none"}, "'distributionConfig"),
        ({"schedule": {"scheduleExpression": "daily"}}, "'schedule.scheduleExpression'"),
        ({"schedule": {"scheduleExpression": "rate(1 day)", "timezone": "Mars/Olympus"}}, "'schedule.timezone'"),
        (
            {"schedule": {"scheduleExpression": "rate(1 day)", "autoDisablePolicy": {"failureCount": 11}}},
            "failureCount",
        ),
        ({"workflows": [{"workflowArn": f"{AMAZON}:workflow/build/build-image/x.x.x"}]}, "'executionRole'"),
        (
            {
                "workflows": [{"workflowArn": f"{AMAZON}:workflow/build/build-image/x.x.x", "onFailure": "ABORT"}],
                "executionRole": ROLE,
            },
            "'workflows[0].onFailure'",
        ),
        ({"workflows": [{"workflowArn": f"{OWN}:workflow/build/none/1.0.0"}]}, "'workflows[0].workflowArn'"),
        ({"loggingConfiguration": {"imageLogGroupName": "/mine/web"}}, "'loggingConfiguration.imageLogGroupName'"),
        ({"executionRole": "nobody"}, "'executionRole'"),
        (
            {
                "imageScanningConfiguration": {"imageScanningEnabled": True},
                "imageTestsConfiguration": {"imageTestsEnabled": False},
            },
            "imageScanningEnabled",
        ),
        (
            {
                "imageScanningConfiguration": {
                    "imageScanningEnabled": True,
                    "scanResultCondition": {"maximumSeverityLabel": "LOW"},
                }
            },
            "scanResultCondition",
        ),
        (
            {
                "executionRole": "builder",
                "workflows": [{"workflowArn": f"{AMAZON}:workflow/build/build-image/x.x.x", "parallelGroup": "a"}],
            },
            "'workflows[0].parallelGroup'",
        ),
        (
            {
                "executionRole": "builder",
                "workflows": [{"workflowArn": f"{AMAZON}:workflow/build/build-image/x.x.x"}] * 2,
            },
            "'workflows[1].workflowArn'",
        ),
        (
            {
                "executionRole": "builder",
                "workflows": [
                    {
                        "workflowArn": f"{AMAZON}:workflow/test/test-image/x.x.x",
                        "parameters": [{"name": "speed", "value": ["1"]}],
                    }
                ],
            },
            "no parameter 'speed'",
        ),
        (
            {
                "executionRole": "builder",
                "workflows": [{"workflowArn": f"{AMAZON}:workflow/test/test-image/x.x.x"}] * 11,
            },
            "'workflows'",
        ),
        ({"imageTestsConfiguration": {"timeoutMinutes": 1441}}, "timeoutMinutes"),
    ],
)
def test_a_pipeline_that_cannot_be_is_refused(account: Account, request_part: dict[str, Any], why: str) -> None:
    usual = {
        "name": "web",
        "imageRecipeArn": account.recipe(),
        "infrastructureConfigurationArn": account.infrastructure(),
    }

    with pytest.raises(ClientError) as caught:
        account.builder.create_image_pipeline(**{**usual, **request_part})

    assert why in str(caught.value)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_what_a_pipeline_refers_to_cannot_be_deleted_before_it(account: Account) -> None:
    recipe, infrastructure, distribution = account.recipe(), account.infrastructure(), account.distribution(target())
    pipeline = account.pipeline(recipe, infrastructure, distributionConfigurationArn=distribution)
    builder = account.builder

    def delete_all() -> None:
        builder.delete_image_recipe(imageRecipeArn=recipe)
        builder.delete_infrastructure_configuration(infrastructureConfigurationArn=infrastructure)
        builder.delete_distribution_configuration(distributionConfigurationArn=distribution)

    deletions: list[Callable[[], Any]] = [
        lambda: builder.delete_image_recipe(imageRecipeArn=recipe),
        lambda: builder.delete_infrastructure_configuration(infrastructureConfigurationArn=infrastructure),
        lambda: builder.delete_distribution_configuration(distributionConfigurationArn=distribution),
    ]
    for delete in deletions:
        with pytest.raises(ClientError) as caught:
            delete()
        assert code_of(caught) == "ResourceDependencyException"
        assert pipeline in str(caught.value)
    builder.delete_image_pipeline(imagePipelineArn=pipeline)
    delete_all()
    assert builder.list_image_recipes()["imageRecipeSummaryList"] == []


def policy(**more: Any) -> dict[str, Any]:
    detail = {
        "action": {"type": "DELETE", "includeResources": {"amis": True, "snapshots": True}},
        "filter": {"type": "AGE", "value": 6, "unit": "MONTHS", "retainAtLeast": 2},
    }
    return {
        "name": "old-images",
        "executionRole": ROLE,
        "resourceType": "AMI_IMAGE",
        "policyDetails": [{**detail, **more}],
        "resourceSelection": {"recipes": [{"name": "web", "semanticVersion": "1.x.x"}]},
    }


def test_a_lifecycle_policy_is_kept_replaced_and_deleted(account: Account) -> None:
    builder = account.builder
    arn = builder.create_lifecycle_policy(**policy())["lifecyclePolicyArn"]

    shown = builder.get_lifecycle_policy(lifecyclePolicyArn=arn)["lifecyclePolicy"]
    listed = builder.list_lifecycle_policies(filters=[{"name": "status", "values": ["ENABLED"]}])
    update = {key: value for key, value in policy().items() if key != "name"}
    builder.update_lifecycle_policy(lifecyclePolicyArn=arn, status="DISABLED", **update)

    assert (shown["name"], shown["status"]) == ("old-images", "ENABLED")
    assert [found["arn"] for found in listed["lifecyclePolicySummaryList"]] == [arn]
    assert builder.get_lifecycle_policy(lifecyclePolicyArn=arn)["lifecyclePolicy"]["status"] == "DISABLED"
    assert builder.list_lifecycle_executions(resourceArn=arn)["lifecycleExecutions"] == []
    builder.delete_lifecycle_policy(lifecyclePolicyArn=arn)
    with pytest.raises(ClientError) as caught:
        builder.get_lifecycle_policy(lifecyclePolicyArn=arn)
    assert code_of(caught) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("detail", "why"),
    [
        (
            {"action": {"type": "DEPRECATE"}, "filter": {"type": "COUNT", "value": 3}},
            "COUNT goes with the action DELETE only",
        ),
        ({"filter": {"type": "AGE", "value": 6}}, "AGE needs a unit"),
        ({"filter": {"type": "COUNT", "value": 6, "unit": "DAYS"}}, "unit goes with the type AGE"),
        ({"filter": {"type": "COUNT", "value": 1001}}, "at most 1000"),
        ({"action": {"type": "DISABLE", "includeResources": {"amis": True, "snapshots": True}}}, "Snapshots cannot"),
        ({"action": {"type": "DELETE", "includeResources": {"snapshots": True}}}, "together with AMIs"),
        ({"action": {"type": "DELETE", "includeResources": {"containers": True}}}, "container images"),
    ],
)
def test_a_lifecycle_rule_that_cannot_be_is_refused(account: Account, detail: dict[str, Any], why: str) -> None:
    with pytest.raises(ClientError) as caught:
        account.builder.create_lifecycle_policy(**policy(**detail))

    assert why in str(caught.value)


def test_a_lifecycle_policy_has_one_rule_an_action_one_selection_and_a_role(account: Account) -> None:
    cases = [
        ({**policy(), "policyDetails": policy()["policyDetails"] * 2}, "at most one rule"),
        ({**policy(), "resourceSelection": {}}, "'resourceSelection'"),
        ({**policy(), "executionRole": "nobody"}, "'executionRole'"),
    ]

    for request, why in cases:
        with pytest.raises(ClientError) as caught:
            account.builder.create_lifecycle_policy(**request)
        assert why in str(caught.value)


def test_a_token_used_again_gives_the_same_answer_and_other_parameters_are_refused(account: Account) -> None:
    first = account.recipe(clientToken="one")

    again = account.recipe(clientToken="one")
    with pytest.raises(ClientError) as caught:
        account.recipe(name="other", clientToken="one")

    assert again == first
    assert code_of(caught) == "IdempotentParameterMismatchException"
    assert len(account.builder.list_image_recipes()["imageRecipeSummaryList"]) == 1


def test_a_dry_run_checks_everything_and_makes_nothing(account: Account) -> None:
    with pytest.raises(ClientError) as passed:
        account.recipe(dryRun=True)
    with pytest.raises(ClientError) as refused:
        account.recipe(parent="nonsense", dryRun=True)

    assert code_of(passed) == "DryRunOperationException"
    assert passed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert code_of(refused) == "InvalidParameterValueException"
    assert account.builder.list_image_recipes()["imageRecipeSummaryList"] == []


def test_every_create_operation_has_a_dry_run(account: Account) -> None:
    recipe, infrastructure = account.recipe(), account.infrastructure("used")
    builder = account.builder
    document = "schemaVersion: 1.0\nsteps:\n  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}\n"
    runs: list[Callable[[], Any]] = [
        lambda: builder.create_component(
            name="a-b", semanticVersion="1.0.0", platform="Linux", dryRun=True, data=_COMPONENT
        ),
        lambda: builder.create_workflow(name="a-b", semanticVersion="1.0.0", type="BUILD", dryRun=True, data=document),
        lambda: account.recipe("other", dryRun=True),
        lambda: account.infrastructure(dryRun=True),
        lambda: builder.create_distribution_configuration(name="a-b", distributions=[target()], dryRun=True),
        lambda: account.pipeline(recipe, infrastructure, dryRun=True),
        lambda: builder.create_lifecycle_policy(**policy(), dryRun=True),
    ]

    for run in runs:
        with pytest.raises(ClientError) as caught:
            run()
        assert code_of(caught) == "DryRunOperationException"
    assert builder.list_image_pipelines()["imagePipelineList"] == []


_COMPONENT = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - {name: R, action: Reboot}\n"


def test_tags_are_added_changed_and_taken_away(account: Account) -> None:
    arn = account.recipe(tags={"team": "web"})
    builder = account.builder

    builder.tag_resource(resourceArn=arn, tags={"team": "shop", "stage": "test"})
    builder.untag_resource(resourceArn=arn, tagKeys=["stage"])

    assert builder.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "shop"}
    assert builder.get_image_recipe(imageRecipeArn=arn)["imageRecipe"]["tags"] == {"team": "shop"}
    with pytest.raises(ClientError) as caught:
        builder.list_tags_for_resource(resourceArn=f"{OWN}:image-recipe/none/1.0.0")
    assert code_of(caught) == "ResourceNotFoundException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_what_the_sandbox_lacks_is_refused_by_name_and_not_with_a_fault(account: Account) -> None:
    builder = account.builder
    refused: dict[str, Callable[[], Any]] = {
        "PutComponentPolicy": lambda: builder.put_component_policy(
            componentArn=f"{OWN}:component/a/1.0.0/1", policy=json.dumps({"Version": "2012-10-17"})
        ),
        "GetMarketplaceResource": lambda: builder.get_marketplace_resource(
            resourceType="COMPONENT_DATA", resourceArn=f"{OWN}:component/a/1.0.0/1"
        ),
    }

    for name, call in refused.items():
        with pytest.raises(ClientError) as caught:
            call()
        assert code_of(caught) == "InvalidRequestException", name
        assert f"The operation {name} is not part of the cdk-ami sandbox" in str(caught.value)


def test_regions_and_accounts_see_their_own_resources_only(account: Account) -> None:
    account.component()

    for region, number in (("eu-west-1", "123456789012"), ("us-east-1", "111111111111")):
        other = account.aws("imagebuilder", region, account=number)
        assert other.list_components()["componentVersionList"] == []
        with pytest.raises(ClientError) as caught:
            other.get_component(componentBuildVersionArn=f"{OWN}:component/apache/1.0.0/1")
        assert code_of(caught) == "ResourceNotFoundException"
