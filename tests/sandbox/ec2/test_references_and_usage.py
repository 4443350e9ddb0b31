"""What names an AMI, here and in other accounts."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.pace import PACE
from tests.support.amis import MadeAmi, make_ami, point

OTHER = "210987654321"
INSTANCES = [{"ResourceType": "ec2:Instance"}]
TEMPLATES = [{"ResourceType": "ec2:LaunchTemplate"}]


@pytest.fixture
def ami(aws: Any) -> MadeAmi:
    """An AMI that the other account may launch."""
    ec2 = aws("ec2")
    made = make_ami(ec2, encrypted=False)
    ec2.modify_image_attribute(ImageId=made.image_id, LaunchPermission={"Add": [{"UserId": OTHER}]})
    return made


def named(ec2: Any, ami: MadeAmi, kinds: list[dict[str, Any]]) -> list[str]:
    found = ec2.describe_image_references(ImageIds=[ami.image_id], ResourceTypes=kinds)["ImageReferences"]
    return [reference["Arn"].rpartition("/")[2] for reference in found]


def test_a_template_that_resolves_a_parameter_and_a_recipe_name_the_image_of_the_moment(aws: Any, ami: MadeAmi) -> None:
    ec2, other = aws("ec2"), make_ami(aws("ec2"), version="1.0.0/2", encrypted=False)
    point(aws("ssm"), "/golden/stable", ami.image_id)
    template = ec2.create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": "resolve:ssm:/golden/stable"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    lost = {"ImageId": "resolve:ssm:/golden/none"}
    ec2.create_launch_template(LaunchTemplateName="lost", LaunchTemplateData=lost)
    for name, parent in (("direct", ami.image_id), ("indirect", "ssm:/golden/stable")):
        aws("imagebuilder").create_image_recipe(
            name=name,
            semanticVersion="1.0.0",
            parentImage=parent,
            components=[{"componentArn": "arn:aws:imagebuilder:us-east-1:aws:component/simple-boot-test-linux/x.x.x"}],
        )

    before = named(ec2, ami, [*TEMPLATES, {"ResourceType": "imagebuilder:ImageRecipe"}])
    every = ec2.describe_image_references(ImageIds=[ami.image_id], IncludeAllResourceTypes=True)["ImageReferences"]
    point(aws("ssm"), "/golden/stable", other.image_id)

    assert before == [template, "1.0.0", "1.0.0"]
    assert [reference["ResourceType"] for reference in every] == [
        "ec2:LaunchTemplate",
        "ssm:Parameter",
        "imagebuilder:ImageRecipe",
        "imagebuilder:ImageRecipe",
    ]
    assert named(ec2, ami, TEMPLATES) == []
    assert named(ec2, other, TEMPLATES) == [template]


def test_only_the_newest_versions_of_a_template_count(aws: Any, ami: MadeAmi) -> None:
    ec2 = aws("ec2")
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": ami.image_id})
    for _ in range(10):
        ec2.create_launch_template_version(LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "t3.micro"})

    def depth(value: str) -> list[dict[str, Any]]:
        return [{**TEMPLATES[0], "ResourceTypeOptions": [{"OptionName": "version-depth", "OptionValues": [value]}]}]

    assert (len(named(ec2, ami, TEMPLATES)), len(named(ec2, ami, depth("11")))) == (0, 1)
    for wrong in ("0", "10001", "all"):
        with pytest.raises(ClientError, match="InvalidParameterValue"):
            named(ec2, ami, depth(wrong))


def test_instances_count_in_the_states_that_were_asked_for(aws: Any, ami: MadeAmi, run_one: Any) -> None:
    ec2 = aws("ec2")
    running, stopped = run_one(ImageId=ami.image_id), run_one(ImageId=ami.image_id)
    ec2.stop_instances(InstanceIds=[stopped])

    states = {"ResourceTypeOptions": [{"OptionName": "state-name", "OptionValues": ["stopped"]}]}

    assert named(ec2, ami, [{**INSTANCES[0], **states}]) == [stopped]
    assert set(named(ec2, ami, INSTANCES)) == {running, stopped}


def test_references_are_asked_for_in_bounds_and_by_the_owner(aws: Any, ami: MadeAmi) -> None:
    ec2 = aws("ec2")
    for request, code in (
        ({"ImageIds": [ami.image_id] * 11, "IncludeAllResourceTypes": True}, "InvalidParameterValue"),
        ({"ImageIds": [ami.image_id]}, "MissingParameter"),
        ({"ImageIds": [ami.image_id], "ResourceTypes": [{"ResourceType": "s3:Bucket"}]}, "InvalidParameterValue"),
    ):
        with pytest.raises(ClientError) as caught:
            ec2.describe_image_references(**request)
        assert caught.value.response["Error"]["Code"] == code
    with pytest.raises(ClientError, match="AuthFailure"):
        named(aws("ec2", account=OTHER), ami, INSTANCES)


def test_references_come_page_by_page(aws: Any, ami: MadeAmi) -> None:
    ec2 = aws("ec2")
    for number in range(6):
        ec2.create_launch_template(LaunchTemplateName=f"web-{number}", LaunchTemplateData={"ImageId": ami.image_id})

    pages = ec2.get_paginator("describe_image_references").paginate(
        ImageIds=[ami.image_id], ResourceTypes=TEMPLATES, PaginationConfig={"PageSize": 5}
    )

    assert [len(page["ImageReferences"]) for page in pages] == [5, 1]


def test_a_report_counts_what_other_accounts_make_of_an_image(aws: Any, ami: MadeAmi, run_one: Any) -> None:
    ec2, theirs = aws("ec2"), aws("ec2", account=OTHER)
    run_one(ImageId=ami.image_id)
    theirs.run_instances(ImageId=ami.image_id, MinCount=2, MaxCount=2, InstanceType="t3.micro")
    theirs.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": ami.image_id})

    report = ec2.create_image_usage_report(
        ImageId=ami.image_id,
        ResourceTypes=[*INSTANCES, *TEMPLATES],
        TagSpecifications=[{"ResourceType": "image-usage-report", "Tags": [{"Key": "team", "Value": "web"}]}],
    )["ReportId"]
    (shown,) = ec2.describe_image_usage_reports(Filters=[{"Name": "tag:team", "Values": ["web"]}])["ImageUsageReports"]
    entries = ec2.describe_image_usage_report_entries(ReportIds=[report])["ImageUsageReportEntries"]
    instances = ec2.describe_image_usage_report_entries(Filters=[{"Name": "resource-type", "Values": ["ec2:Instance"]}])

    assert (shown["ReportId"], shown["State"], shown["ImageId"]) == (report, "available", ami.image_id)
    assert (shown["ExpirationTime"] - shown["CreationTime"]).days == 30
    assert [(entry["AccountId"], entry["ResourceType"], entry["UsageCount"]) for entry in entries] == [
        (OTHER, "ec2:Instance", 2),
        (OTHER, "ec2:LaunchTemplate", 1),
    ]
    assert [entry["UsageCount"] for entry in instances["ImageUsageReportEntries"]] == [2]
    assert ec2.delete_image_usage_report(ReportId=report)["Return"] is True
    assert ec2.describe_image_usage_reports(ImageIds=[ami.image_id])["ImageUsageReports"] == []


def test_a_report_takes_its_time_and_expires(aws: Any, ami: MadeAmi, monkeypatch: pytest.MonkeyPatch) -> None:
    ec2 = aws("ec2")
    aws("ec2", account=OTHER).create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": ami.image_id}
    )
    monkeypatch.setattr(PACE, "image", 600.0)

    report = ec2.create_image_usage_report(ImageId=ami.image_id, ResourceTypes=TEMPLATES)["ReportId"]
    pending = ec2.describe_image_usage_reports(ReportIds=[report])["ImageUsageReports"][0]["State"]
    nothing = ec2.describe_image_usage_report_entries(ReportIds=[report])["ImageUsageReportEntries"]
    CLOCK.advance(601)
    entries = ec2.describe_image_usage_report_entries(ReportIds=[report])["ImageUsageReportEntries"]
    CLOCK.advance(30 * 24 * 3600)

    assert (pending, nothing, len(entries)) == ("pending", [], 1)
    with pytest.raises(ClientError, match="does not exist"):
        ec2.describe_image_usage_reports(ReportIds=[report])


def test_a_report_is_the_owners_and_of_what_ec2_counts(aws: Any, ami: MadeAmi) -> None:
    with pytest.raises(ClientError, match="AuthFailure"):
        aws("ec2", account=OTHER).create_image_usage_report(ImageId=ami.image_id, ResourceTypes=INSTANCES)
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        aws("ec2").create_image_usage_report(ImageId=ami.image_id, ResourceTypes=[{"ResourceType": "ssm:Parameter"}])
    with pytest.raises(ClientError, match="does not exist"):
        aws("ec2").delete_image_usage_report(ReportId="amiur-0123456789abcdef0")
