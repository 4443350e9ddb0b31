"""What CloudFormation's names become on their way to the API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.sandbox import wait_until

if TYPE_CHECKING:
    from tests.sandbox.imagebuilder.conftest import Account


def test_a_template_shares_the_ami_by_the_name_that_cloudformation_has_for_it(account: Account) -> None:
    ami = {
        "Name": "web {{ imagebuilder:buildDate }}",
        "TargetAccountIds": ["111111111111"],
        "LaunchPermissionConfiguration": {"UserIds": ["222222222222"]},
    }
    properties: dict[str, Any] = {
        "Name": "copies",
        "Distributions": [{"Region": "us-east-1", "AmiDistributionConfiguration": ami}],
    }
    cloudformation = account.aws("cloudformation")

    for description, status in (("first", "CREATE_COMPLETE"), ("second", "UPDATE_COMPLETE")):
        resource = {
            "Type": "AWS::ImageBuilder::DistributionConfiguration",
            "Properties": {**properties, "Description": description},
        }
        deploy = cloudformation.create_stack if description == "first" else cloudformation.update_stack
        deploy(StackName="copies", TemplateBody=json.dumps({"Resources": {"Copies": resource}}))
        wait_until(lambda: not _status(cloudformation).endswith("IN_PROGRESS"))

        assert _status(cloudformation) == status
        arn = "arn:aws:imagebuilder:us-east-1:123456789012:distribution-configuration/copies"
        shown = account.builder.get_distribution_configuration(distributionConfigurationArn=arn)
        configuration = shown["distributionConfiguration"]
        assert configuration["description"] == description
        [target] = configuration["distributions"]
        assert target["amiDistributionConfiguration"]["launchPermission"] == {"userIds": ["222222222222"]}


def _status(cloudformation: Any) -> str:
    return str(cloudformation.describe_stacks(StackName="copies")["Stacks"][0]["StackStatus"])
