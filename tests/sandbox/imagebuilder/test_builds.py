"""Pipelines that run to their end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cdk_ami.sandbox.imagebuilder.managed import PARAMETERS

if TYPE_CHECKING:
    from tests.sandbox.imagebuilder.conftest import Account

DATED = "web {{ imagebuilder:buildDate }}"
EVERYBODY = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}]})


def _targets(key: str) -> list[dict[str, Any]]:
    def target(region: str, **ami: Any) -> dict[str, Any]:
        name = {"name": "web {{ imagebuilder:buildDate }}", "description": f"web of {region}", **ami}
        parameters = [{"parameterName": "/imagebuilder/web/latest", "dataType": "aws:ec2:image"}]
        return {"region": region, "amiDistributionConfiguration": name, "ssmParameterConfigurations": parameters}

    return [target("us-east-1", amiTags={"team": "web"}), target("eu-west-1", amiTags={"team": "web"}, kmsKeyId=key)]


def test_a_pipeline_leaves_an_ami_in_each_region_with_lineage_key_tags_and_parameter(account: Account) -> None:
    key = account.aws("kms", "eu-west-1").create_key()["KeyMetadata"]["Arn"]
    devices = [{"deviceName": "/dev/xvda", "ebs": {"encrypted": True, "volumeSize": 12, "volumeType": "gp3"}}]
    recipe = account.recipe(
        components=[{"componentArn": account.component()}], blockDeviceMappings=devices, amiTags={"from": "recipe"}
    )
    pipeline = account.pipeline(
        recipe, account.infrastructure(), distributionConfigurationArn=account.distribution(*_targets(key))
    )

    image = account.run(pipeline, tags={"why": "test"})

    assert image["state"] == {"status": "AVAILABLE"}
    assert image["arn"] == "arn:aws:imagebuilder:us-east-1:123456789012:image/web/1.0.0/1"
    assert image["tags"] == {"why": "test"}
    home, copy = image["outputResources"]["amis"]
    assert [(ami["region"], ami["accountId"], ami["description"]) for ami in (home, copy)] == [
        ("us-east-1", "123456789012", "web of us-east-1"),
        ("eu-west-1", "123456789012", "web of eu-west-1"),
    ]
    first, second = account.image(home["image"]), account.image(copy["image"], "eu-west-1")
    assert first["Name"] == second["Name"] == home["name"]
    assert (second["SourceImageId"], second["SourceImageRegion"]) == (home["image"], "us-east-1")
    source = account.aws("ssm").get_parameter(
        Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    )
    assert first["SourceImageId"] == source["Parameter"]["Value"]
    for described in (first, second):
        tags = {tag["Key"]: tag["Value"] for tag in described["Tags"]}
        assert tags == {
            "CreatedBy": "EC2 Image Builder",
            "Ec2ImageBuilderArn": image["arn"],
            "team": "web",
            "from": "recipe",
        }
        assert described["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
        assert described["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 12
    snapshot_id = second["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    snapshot = account.aws("ec2", "eu-west-1").describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    assert (snapshot["Encrypted"], snapshot["KmsKeyId"]) == (True, key)
    assert {"Key": "CreatedBy", "Value": "EC2 Image Builder"} in snapshot["Tags"]
    for region, ami in (("us-east-1", home), ("eu-west-1", copy)):
        parameter = account.aws("ssm", region).get_parameter(Name="/imagebuilder/web/latest")["Parameter"]
        assert (parameter["Value"], parameter["DataType"]) == (ami["image"], "aws:ec2:image")
    assert account.instances() == []


def _only_home(account: Account, **more: Any) -> str:
    target = {"region": "us-east-1", "amiDistributionConfiguration": {"name": DATED}, **more}
    return account.distribution(target)


def test_builds_without_a_distribution_leave_one_ami_by_the_services_own_name(account: Account) -> None:
    image = account.run(account.pipeline(account.recipe(), account.infrastructure()))

    [ami] = image["outputResources"]["amis"]
    assert ami["name"].startswith("web 20")
    assert "description" not in ami
    assert account.image(ami["image"])["State"] == "available"


def test_images_are_numbered_by_recipe_version_and_build(account: Account) -> None:
    infrastructure = account.infrastructure()
    first = account.pipeline(account.recipe(), infrastructure)
    second = account.pipeline(account.recipe(), infrastructure, name="web-two")

    arns = [account.run(pipeline)["arn"].partition("image/")[2] for pipeline in (first, second, first)]

    assert arns == ["web/1.0.0/1", "web/1.0.1/1", "web/1.0.0/2"]
    listed = account.builder.list_images()["imageVersionList"]
    assert [(found["name"], found["version"]) for found in listed] == [("web", "1.0.0"), ("web", "1.0.1")]
    by_name = account.builder.list_images(byName=True)["imageVersionList"]
    assert [found["version"] for found in by_name] == ["1.0.1"]
    builds = account.builder.list_image_build_versions(imageVersionArn=listed[0]["arn"])["imageSummaryList"]
    assert [found["version"] for found in builds] == ["1.0.0/2", "1.0.0/1"]
    made = account.builder.list_image_pipeline_images(imagePipelineArn=first)["imageSummaryList"]
    assert [found["version"] for found in made] == ["1.0.0/2", "1.0.0/1"]
    newest = account.builder.get_image(imageBuildVersionArn=listed[0]["arn"].replace("1.0.0", "x.x.x"))["image"]
    assert newest["version"] == "1.0.1/1"


def test_builds_started_in_the_same_second_have_names_of_their_own(account: Account) -> None:
    pipeline = account.pipeline(
        account.recipe(), account.infrastructure(), distributionConfigurationArn=_only_home(account)
    )
    start = account.builder.start_image_pipeline_execution

    started = [start(imagePipelineArn=pipeline)["imageBuildVersionArn"] for _ in range(3)]
    images = [account.ended(arn) for arn in started]

    assert [image["state"]["status"] for image in images] == ["AVAILABLE"] * 3
    assert len({image["outputResources"]["amis"][0]["name"] for image in images}) == 3


def test_a_pipeline_started_again_with_its_token_runs_once(account: Account) -> None:
    pipeline = account.pipeline(account.recipe(), account.infrastructure())
    start = account.builder.start_image_pipeline_execution

    first = start(imagePipelineArn=pipeline, clientToken="once")["imageBuildVersionArn"]
    again = start(imagePipelineArn=pipeline, clientToken="once")["imageBuildVersionArn"]
    account.ended(first)

    assert again == first
    assert len(account.builder.list_image_build_versions()["imageSummaryList"]) == 1


def test_an_image_built_before_is_the_parent_of_the_next(account: Account) -> None:
    infrastructure = account.infrastructure()
    base = account.run(account.pipeline(account.recipe("base"), infrastructure, name="base"))
    parent = f"{base['arn'].rpartition('/1.0.0')[0]}/x.x.x"

    image = account.run(account.pipeline(account.recipe(parent=parent), infrastructure))

    assert image["state"]["status"] == "AVAILABLE"
    [ami], [source] = image["outputResources"]["amis"], base["outputResources"]["amis"]
    assert account.image(ami["image"])["SourceImageId"] == source["image"]


def test_a_managed_image_is_a_parent_by_the_ami_behind_it(account: Account) -> None:
    parent = "arn:aws:imagebuilder:us-east-1:aws:image/windows-server-2022-english-full-base-x86/x.x.x"

    image = account.run(account.pipeline(account.recipe(parent=parent), account.infrastructure()))

    assert image["state"]["status"] == "AVAILABLE", image["state"]
    assert account.image(image["outputResources"]["amis"][0]["image"])["Platform"] == "windows"


def test_the_build_instance_is_launched_as_the_infrastructure_says(account: Account) -> None:
    ec2 = account.aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="builds", Description="builds", VpcId=vpc)["GroupId"]
    infrastructure = account.infrastructure(
        instanceTypes=["t3.small"],
        subnetId=subnet,
        securityGroupIds=[group],
        resourceTags={"team": "web"},
        instanceMetadataOptions={"httpTokens": "required", "httpPutResponseHopLimit": 2},
        terminateInstanceOnCompletion=False,
    )
    devices = [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": 20, "volumeType": "gp3", "encrypted": True}}]

    image = account.run(
        account.pipeline(
            account.recipe(blockDeviceMappings=devices),
            infrastructure,
            imageTestsConfiguration={"imageTestsEnabled": False},
        )
    )

    [instance] = account.instances()
    assert (instance["InstanceType"], instance["SubnetId"]) == ("t3.small", subnet)
    assert [found["GroupId"] for found in instance["SecurityGroups"]] == [group]
    assert instance["IamInstanceProfile"]["Arn"].endswith("/builder")
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    assert {tag["Key"]: tag["Value"] for tag in instance["Tags"]} == {
        "Name": "Build instance for web",
        "CreatedBy": "EC2 Image Builder",
        "Ec2ImageBuilderArn": image["arn"],
        "team": "web",
    }
    volume = ec2.describe_volumes(VolumeIds=[instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]])["Volumes"][0]
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (20, "gp3", True)


def test_tests_that_are_off_launch_no_test_instance(account: Account) -> None:
    image = account.run(
        account.pipeline(
            account.recipe(), account.infrastructure(), imageTestsConfiguration={"imageTestsEnabled": False}
        )
    )

    runs = account.builder.list_workflow_executions(imageBuildVersionArn=image["arn"])["workflowExecutions"]
    assert [run["type"] for run in runs] == ["DISTRIBUTION", "BUILD"]
    assert all(run["status"] == "COMPLETED" for run in runs)


def test_the_steps_of_every_workflow_can_be_read(account: Account) -> None:
    image = account.run(account.pipeline(account.recipe(), account.infrastructure()))

    runs = account.builder.list_workflow_executions(imageBuildVersionArn=image["arn"])["workflowExecutions"]

    build = next(run for run in runs if run["type"] == "BUILD")
    whole = account.builder.get_workflow_execution(workflowExecutionId=build["workflowExecutionId"])
    assert (whole["totalStepCount"], whole["totalStepsSucceeded"], whole["totalStepsSkipped"]) == (7, 6, 1)
    steps = account.builder.list_workflow_step_executions(workflowExecutionId=build["workflowExecutionId"])["steps"]
    assert [step["name"] for step in steps if step["status"] == "SKIPPED"] == ["RunSysPrepScript"]
    assert steps[0]["action"] == "LaunchInstance"
    assert account.builder.list_waiting_workflow_steps()["steps"] == []
    assert account.builder.list_image_packages(imageBuildVersionArn=image["arn"])["imagePackageList"] == []


def test_listed_workflows_take_the_place_of_all(account: Account) -> None:
    managed = "arn:aws:imagebuilder:us-east-1:aws:workflow/build/build-image/x.x.x"

    image = account.run(
        account.pipeline(
            account.recipe(),
            account.infrastructure(),
            executionRole="builder",
            workflows=[{"workflowArn": managed}],
        )
    )

    runs = account.builder.list_workflow_executions(imageBuildVersionArn=image["arn"])["workflowExecutions"]
    assert [run["type"] for run in runs] == ["DISTRIBUTION", "BUILD"]


def test_the_log_of_a_build_tells_each_step_of_each_component_in_order(account: Account) -> None:
    component = account.component()
    managed = "arn:aws:imagebuilder:us-east-1:aws:component/update-linux/x.x.x"
    recipe = account.recipe(components=[{"componentArn": managed}, {"componentArn": component}])

    account.run(account.pipeline(recipe, account.infrastructure()))

    logs = account.aws("logs")
    events = logs.get_log_events(logGroupName="/aws/imagebuilder/web", logStreamName="1.0.0/1", startFromHead=True)
    told = [event["message"] for event in events["events"]]
    phases = [line.partition("component/")[2] for line in told if line.startswith("Component ")]
    assert phases == [
        "update-linux/1.0.2/1: phase build, step Apply (ExecuteBash): completed",
        "apache/1.0.0/1: phase build, step Install (ExecuteBash): completed",
        "apache/1.0.0/1: phase validate, step Check (ExecuteBash): completed",
        "apache/1.0.0/1: phase test, step Serve (ExecuteBash): completed",
    ]
    assert told[-1] == "State AVAILABLE"


def test_logs_go_to_the_group_and_the_bucket_that_were_named(account: Account) -> None:
    account.aws("s3").create_bucket(Bucket="build-logs")
    infrastructure = account.infrastructure(logging={"s3Logs": {"s3BucketName": "build-logs", "s3KeyPrefix": "web"}})
    pipeline = account.pipeline(
        account.recipe(), infrastructure, loggingConfiguration={"imageLogGroupName": "/aws/imagebuilder/mine"}
    )

    image = account.run(pipeline)

    assert image["loggingConfiguration"] == {"logGroupName": "/aws/imagebuilder/mine"}
    groups = account.aws("logs").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/aws/imagebuilder/mine"]
    stored = account.aws("s3").get_object(Bucket="build-logs", Key="web/web/1.0.0/1/console.log")["Body"].read()
    assert b"State DISTRIBUTING" in stored


def test_a_distribution_shares_the_ami_and_gives_the_launch_template_a_version(account: Account) -> None:
    ec2 = account.aws("ec2")
    made = ec2.create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"InstanceType": "t3.micro", "ImageId": "ami-0123456789abcdef0"}
    )["LaunchTemplate"]
    target = {
        "region": "us-east-1",
        "amiDistributionConfiguration": {"name": DATED, "launchPermission": {"userIds": ["111111111111"]}},
        "launchTemplateConfigurations": [{"launchTemplateId": made["LaunchTemplateId"]}],
    }
    pipeline = account.pipeline(
        account.recipe(), account.infrastructure(), distributionConfigurationArn=account.distribution(target)
    )

    image = account.run(pipeline)

    [ami] = image["outputResources"]["amis"]
    shared = ec2.describe_image_attribute(ImageId=ami["image"], Attribute="launchPermission")["LaunchPermissions"]
    assert shared == [{"UserId": "111111111111"}]
    template = ec2.describe_launch_templates(LaunchTemplateIds=[made["LaunchTemplateId"]])["LaunchTemplates"][0]
    assert (template["LatestVersionNumber"], template["DefaultVersionNumber"]) == (2, 2)
    [version] = ec2.describe_launch_template_versions(LaunchTemplateId=made["LaunchTemplateId"], Versions=["$Default"])[
        "LaunchTemplateVersions"
    ]
    assert version["LaunchTemplateData"] == {"InstanceType": "t3.micro", "ImageId": ami["image"]}


WINDOWS = "ssm:/aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base"


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ({"enabled": True}, [(5, 6)]),
        ({"enabled": True, "maxParallelLaunches": 8, "snapshotConfiguration": {"targetResourceCount": 2}}, [(2, 8)]),
        ({"enabled": False}, []),
    ],
)
def test_a_windows_ami_is_held_ready_where_fast_launch_is_asked_for(
    account: Account, asked: dict[str, Any], held: list[tuple[int, int]]
) -> None:
    target = {
        "region": "us-east-1",
        "amiDistributionConfiguration": {"name": DATED},
        "fastLaunchConfigurations": [asked],
    }
    pipeline = account.pipeline(
        account.recipe(parent=WINDOWS),
        account.infrastructure(),
        distributionConfigurationArn=account.distribution(target),
    )

    image = account.run(pipeline)

    [ami] = image["outputResources"]["amis"]
    found = account.aws("ec2").describe_fast_launch_images()["FastLaunchImages"]
    assert [each["ImageId"] for each in found] == [ami["image"]] * len(held)
    assert [
        (each["SnapshotConfiguration"]["TargetResourceCount"], each["MaxParallelLaunches"]) for each in found
    ] == held


def test_fast_launch_of_another_system_fails_the_distribution(account: Account) -> None:
    target = {
        "region": "us-east-1",
        "amiDistributionConfiguration": {"name": DATED},
        "fastLaunchConfigurations": [{"enabled": True}],
    }
    pipeline = account.pipeline(
        account.recipe(), account.infrastructure(), distributionConfigurationArn=account.distribution(target)
    )

    image = account.run(pipeline)

    assert image["state"]["status"] == "FAILED"
    assert "is no Windows AMI" in image["state"]["reason"]


def test_the_end_is_published_to_the_topic_and_each_state_as_an_event(account: Account) -> None:
    queue = account.aws("sqs").create_queue(QueueName="told", Attributes={"Policy": EVERYBODY})["QueueUrl"]
    queue_arn = "arn:aws:sqs:us-east-1:123456789012:told"
    topic = account.aws("sns").create_topic(Name="builds")["TopicArn"]
    account.aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    rule = {"source": ["aws.imagebuilder"], "detail": {"state": {"status": ["AVAILABLE"]}}}
    account.aws("events").put_rule(Name="built", EventPattern=json.dumps(rule))
    account.aws("events").put_targets(Rule="built", Targets=[{"Id": "told", "Arn": queue_arn}])

    image = account.run(account.pipeline(account.recipe(), account.infrastructure(snsTopicArn=topic)))

    bodies: list[dict[str, Any]] = []
    while len(bodies) < 2:
        answer = account.aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        found = [json.loads(message["Body"]) for message in answer.get("Messages", ())]
        assert found, "nothing more arrived"
        bodies += found
    event = next(body for body in bodies if "detail" in body)
    assert event["detail-type"] == "EC2 Image Builder Image State Change"
    assert event["resources"] == [image["arn"]]
    assert event["detail"]["state"] == {"status": "AVAILABLE"}
    message = json.loads(next(body for body in bodies if "Message" in body)["Message"])
    assert (message["arn"], message["state"]) == (image["arn"], {"status": "AVAILABLE"})
    assert message["outputResources"]["amis"][0]["image"] == image["outputResources"]["amis"][0]["image"]


def test_an_image_can_be_made_without_a_pipeline_and_deleted_without_its_ami(account: Account) -> None:
    started = account.builder.create_image(
        imageRecipeArn=account.recipe(),
        infrastructureConfigurationArn=account.infrastructure(),
        distributionConfigurationArn=_only_home(account),
        tags={"why": "test"},
    )

    image = account.ended(started["imageBuildVersionArn"])
    account.builder.delete_image(imageBuildVersionArn=image["arn"])

    assert image["state"]["status"] == "AVAILABLE"
    assert "sourcePipelineArn" not in image
    assert started["latestVersionReferences"]["latestVersionArn"].endswith(":image/web/x.x.x")
    assert account.builder.list_images()["imageVersionList"] == []
    assert account.image(image["outputResources"]["amis"][0]["image"])["State"] == "available"


def test_the_end_is_written_into_the_log_group_of_the_pipeline(account: Account) -> None:
    pipeline = account.pipeline(
        account.recipe(),
        account.infrastructure(),
        loggingConfiguration={"pipelineLogGroupName": "/aws/imagebuilder/pipeline/web"},
    )

    image = account.run(pipeline)

    logs = account.aws("logs")
    events = logs.get_log_events(logGroupName="/aws/imagebuilder/pipeline/web", logStreamName="1.0.0/1")["events"]
    assert [event["message"] for event in events] == [f"The execution that makes {image['arn']} ended: AVAILABLE"]


def test_every_managed_image_has_an_ami_behind_it(account: Account) -> None:
    ssm, ec2 = account.aws("ssm"), account.aws("ec2")

    ids = {name: ssm.get_parameter(Name=parameter)["Parameter"]["Value"] for name, parameter in PARAMETERS.items()}

    found = {image["ImageId"]: image for image in ec2.describe_images(ImageIds=list(ids.values()))["Images"]}
    for name, image_id in ids.items():
        assert found[image_id]["Architecture"] == ("arm64" if name.endswith("arm64") else "x86_64"), name
        assert (found[image_id].get("Platform") == "windows") is name.startswith("windows"), name


def test_the_watermarks_of_a_recipe_are_on_the_ami_and_on_its_copies(account: Account) -> None:
    recipe = account.recipe(amiWatermarks=["golden image", "approved"])
    target = {"region": "eu-west-1", "amiDistributionConfiguration": {"name": DATED}}
    pipeline = account.pipeline(
        recipe,
        account.infrastructure(),
        imageTestsConfiguration={"imageTestsEnabled": False},
        distributionConfigurationArn=account.distribution(target),
    )

    image = account.run(pipeline)

    assert image["state"] == {"status": "AVAILABLE"}
    for ami in image["outputResources"]["amis"]:
        described = account.image(ami["image"], ami["region"])
        assert [mark["WatermarkKey"] for mark in described["ImageWatermarks"]] == [
            "123456789012:golden image",
            "123456789012:approved",
        ]
