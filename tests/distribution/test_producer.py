"""AMIs that others have made, distributed by the state machine of a producer."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from aws_cdk import Duration
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_ssm as ssm

from cdk_ami.build.golden_image import GoldenImage
from cdk_ami.distribution.distribution import Distribution
from cdk_ami.distribution.handover import (
    contents_fingerprint,
    delivery_note,
    delivery_noted,
    delivery_tag,
    delivery_token,
    token_formula,
)
from cdk_ami.distribution.launch_permission import LaunchPermission
from cdk_ami.distribution.producer import ImageProducer
from cdk_ami.distribution.producer_permissions import ExecutionPermissions, Place
from cdk_ami.distribution.target import FastLaunch, LaunchTemplateUpdate, Target
from cdk_ami.errors import ConfigError
from cdk_ami.sandbox import jsonpath
from cdk_ami.sandbox.server import Sandbox
from cdk_ami.sandbox.stepfunctions import intrinsics
from tests.support.control import ask
from tests.support.executions import Executions
from tests.support.happenings import Happenings
from tests.support.stacks import Stacks
from tests.support.synth import make_stack, resources_of, template_of

ACCOUNT = "123456789012"
REGIONS = ("us-east-1", "eu-west-1")
PUBLIC = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
LICENSE = f"arn:aws:license-manager:eu-west-1:123456789012:license-configuration:lic-{'0' * 32}"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0123abcd-0123-0123-0123-0123456789ab"


@cache
def shop_template() -> dict[str, Any]:
    """Return the template of a producer that everything can start."""
    stack = make_stack("Shop")
    producer = ImageProducer(
        stack,
        "Shop",
        name="Shop",
        distribution=Distribution.to_regions(*REGIONS),
        notifications=sns.Topic(stack, "Topic", topic_name="told"),
        tags={"Team": "shop"},
        # The AMIs of these tests are copies of public ones, which are not encrypted.
        allow_unencrypted=True,
    )
    producer.start_from(ssm.StringParameter.from_string_parameter_name(stack, "Newest", "/bakery/newest"))
    producer.start_from(s3.Bucket.from_bucket_name(stack, "Bucket", "bakery"), key_prefix="amis/")
    producer.start_from(codebuild.Project.from_project_name(stack, "Bake", "bake"))
    producer.start_from(
        events.Rule(stack, "Rule", event_pattern=events.EventPattern(source=["shop"])), ami_path="$.detail.ami"
    )
    producer.start_from(GoldenImage.from_name(stack, "Base", "base"))
    producer.on_distributed("Distributed")
    producer.on_failed("Failing")
    return template_of(stack)


def definition_of(template: dict[str, Any]) -> str:
    """Return the definition of the one state machine, with ``x`` for what only the deployment knows."""
    (machine,) = resources_of(template, "AWS::StepFunctions::StateMachine").values()
    parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else "x" for part in parts)


def own_ami(ec2: Any, name: str) -> str:
    """Make an AMI as a build of somebody's own would, and return its id."""
    source = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=source, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]
    made = str(ec2.create_image(InstanceId=instance["InstanceId"], Name=name, NoReboot=True)["ImageId"])
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    return made


class Shop:
    """The producer, deployed, with every role held to its policies."""

    def __init__(self, sandbox: Sandbox, aws: Callable[..., Any]) -> None:
        self.aws, self.sandbox = aws, sandbox
        self.it = it = Happenings(sandbox, aws)
        resources = shop_template()["Resources"]
        stacks = Stacks(aws("cloudformation"))
        assert stacks.create("shop", resources) == "CREATE_COMPLETE", stacks.reasons("shop")
        ids = {logical[:-8]: stacks.physical_id("shop", logical) for logical in resources}
        self.configuration, self.role = ids["ShopDistribution"], ids["ShopRole"]
        self.machine = Executions(it, ids["ShopMachine"])
        ask(sandbox, "iam", enforce="all-roles")

    def copies(self, ami: str) -> dict[str, list[str]]:
        """Return what was copied of an AMI, by Region."""
        return {
            region: [
                image["ImageId"]
                for image in self.aws("ec2", region).describe_images(Owners=["self"])["Images"]
                if image.get("SourceImageId") == ami
            ]
            for region in REGIONS
        }

    def channel(self, region: str) -> str:
        """Return what the channel holds."""
        found = self.aws("ssm", region).get_parameter(Name="/imagebuilder/shop/latest")
        return str(found["Parameter"]["Value"])

    def newest(self) -> str:
        """Return the execution that events have started last, when all events have gone where they go."""
        self.it.settle()
        return self.machine.newest()

    def asked(self) -> list[tuple[str, str]]:
        """Return which calls the machine's role has made, each once."""
        calls = ask(self.sandbox, "calls", method="GET")["calls"]
        named = [(call["service"], call["operation"]) for call in calls if (call["role"] or "").endswith(self.role)]
        return list(dict.fromkeys(named))


@pytest.fixture
def shop(sandbox: Sandbox, aws: Callable[..., Any]) -> Shop:
    return Shop(sandbox, aws)


def test_an_ami_goes_everywhere_and_on_the_channel_and_never_twice(shop: Shop) -> None:
    ami = own_ami(shop.aws("ec2"), "baked")
    shop.aws("ssm").put_parameter(Name="/imagebuilder/baked", Value=ami, Type="String", DataType="text")

    first = shop.machine.run({"source": ami})
    assert first["status"] == "SUCCEEDED", first["cause"]
    output = json.loads(first["output"])
    again = shop.machine.run({"source": "ssm:/imagebuilder/baked"})

    assert (first["status"], again["status"]) == ("SUCCEEDED", "SUCCEEDED"), (first, again)
    assert json.loads(again["output"]) == output
    assert {one["Region"]: [one["Image"]] for one in output["amis"]} == shop.copies(ami)
    assert {region: [shop.channel(region)] for region in REGIONS} == shop.copies(ami)
    (copy,) = shop.aws("ec2", "eu-west-1").describe_images(ImageIds=shop.copies(ami)["eu-west-1"])["Images"]
    tags = {tag["Key"]: tag["Value"] for tag in copy["Tags"]}
    assert (tags["cdk-ami:image"], tags["Team"], tags["Ec2ImageBuilderArn"]) == ("shop", "shop", output["image"])
    image = shop.aws("imagebuilder").get_image(imageBuildVersionArn=output["image"])["image"]
    assert image["tags"] == {"cdk-ami:image": "shop"}
    assert ("sns", "Publish") in shop.asked()

    # A further wave of a golden image is its image resource, and an AMI that others own is remembered as well.
    from_image = shop.machine.run({"source": output["image"]})
    public = shop.machine.run({"source": f"ssm:{PUBLIC}"})

    assert (from_image["status"], public["status"]) == ("SUCCEEDED", "SUCCEEDED"), (from_image, public)
    assert json.loads(from_image["output"])["ami"] == shop.copies(ami)["us-east-1"][0]


@pytest.mark.parametrize(
    ("value", "error", "cause"),
    [
        ({"source": "shop"}, "CdkAmi.NoSource", "shop"),
        ({}, "CdkAmi.NoSource", "give source, build, or bucket and key"),
        ({"source": "ssm:arn:aws:ssm:us-east-1:123456789012:parameter/x"}, "CdkAmi.NoSource", "parameter/x"),
        ({"source": "ami-0123456789abcdef0"}, "Ec2.Ec2Exception", "ami-0123456789abcdef0"),
        ({"source": "ssm:/imagebuilder/none"}, "Ssm.ParameterNotFoundException", ""),
    ],
)
def test_what_names_no_ami_fails_with_the_reason_before_anything_is_made(
    shop: Shop, value: dict[str, str], error: str, cause: str
) -> None:
    ended = shop.machine.run(value)

    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert cause in ended["cause"]
    assert shop.aws("imagebuilder").list_images()["imageVersionList"] == []
    assert ("sns", "Publish") in shop.asked()


def test_a_failed_distribution_says_why_and_the_next_start_copies_only_what_is_missing(shop: Shop) -> None:
    ami = own_ami(shop.aws("ec2"), "baked")
    fault = ask(shop.sandbox, "faults", copies="failed", region="eu-west-1")

    failed = shop.machine.run({"source": ami})
    there = shop.copies(ami)["us-east-1"]
    ask(shop.sandbox, "faults", method="DELETE", id=fault["id"])
    mended = shop.machine.run({"source": ami})

    assert (failed["status"], failed["error"]) == ("FAILED", "CdkAmi.DistributionFailed")
    assert "eu-west-1" in failed["cause"]
    assert mended["status"] == "SUCCEEDED", mended
    assert shop.copies(ami)["us-east-1"] == there
    assert json.loads(mended["output"])["image"] in failed["cause"]
    assert len(shop.aws("imagebuilder").list_image_build_versions()["imageSummaryList"]) == 1
    assert [shop.channel(region) for region in REGIONS] == [
        next(one["Image"] for one in json.loads(mended["output"])["amis"] if one["Region"] == region)
        for region in REGIONS
    ]


def test_a_fault_at_any_call_of_the_machine_leaves_one_copy_in_each_region(shop: Shop) -> None:
    ec2 = shop.aws("ec2")
    # What the roles may do is proven above, and to judge every call again takes half of the time.
    ask(shop.sandbox, "iam", method="DELETE")
    ask(shop.sandbox, "calls", method="DELETE")
    assert shop.machine.run({"source": own_ami(ec2, "clean")})["status"] == "SUCCEEDED"
    calls = shop.asked()
    points: list[tuple[tuple[str, str], dict[str, Any]]] = [
        (call, {"error": {"code": "InternalFailure"}}) for call in calls
    ]
    # What was done and not heard of is the dangerous half; a look that was not heard of is one that failed.
    points += [
        (call, {"lose_answer": True, "first": 1}) for call in calls if not call[1].startswith(("Get", "Describe"))
    ]

    for number, ((service, operation), way) in enumerate(points):
        ami = own_ami(ec2, f"baked-{number}")
        ask(shop.sandbox, "faults", service=service, operation=operation, callers="engines", **way)
        shop.machine.run({"source": ami})
        ask(shop.sandbox, "faults", method="DELETE")
        ended = shop.machine.run({"source": ami})
        assert ended["status"] == "SUCCEEDED", (service, operation, way, ended)
        found = shop.copies(ami)
        assert [len(found[region]) for region in REGIONS] == [1, 1], (service, operation, way, found)

    print(f"{len(points)} faults injected at {len(calls)} calls of the producer's state machine")  # noqa: T201 - for the log
    assert calls == [
        ("ec2", "DescribeImages"),
        ("ec2", "DescribeTags"),
        ("imagebuilder", "DistributeImage"),
        ("ec2", "CreateTags"),
        ("imagebuilder", "GetImage"),
        ("sns", "Publish"),
    ]
    assert len(points) == 9


def test_an_unencrypted_ami_goes_only_where_a_key_is_named_or_somebody_says_so(
    sandbox: Sandbox, aws: Callable[..., Any]
) -> None:
    ec2, stack = aws("ec2"), make_stack("Careful")
    keyed = {region: aws("kms", region).create_key()["KeyMetadata"]["Arn"] for region in REGIONS}
    careful = Distribution.to_regions(*REGIONS)
    ImageProducer(stack, "Careful", name="careful", distribution=careful)
    ImageProducer(stack, "Keyed", name="keyed", distribution=Distribution.to_regions(*REGIONS, kms_keys=keyed))
    resources = template_of(stack)["Resources"]
    stacks = Stacks(aws("cloudformation"))
    assert stacks.create("careful", resources) == "CREATE_COMPLETE", stacks.reasons("careful")
    it = Happenings(sandbox, aws)
    machines = {
        name: Executions(it, stacks.physical_id("careful", next(one for one in resources if one.startswith(name))))
        for name in ("CarefulMachine", "KeyedMachine")
    }
    plain = own_ami(ec2, "plain")
    secret = ec2.copy_image(SourceImageId=plain, SourceRegion="us-east-1", Name="secret", Encrypted=True)["ImageId"]

    refused = machines["CarefulMachine"].run({"source": plain})
    made = aws("imagebuilder").list_images()["imageVersionList"]
    ended = [machines["KeyedMachine"].run({"source": plain}), machines["CarefulMachine"].run({"source": secret})]

    assert (refused["status"], refused["error"], made) == ("FAILED", "CdkAmi.NotEncrypted", [])
    assert f"{plain} is not encrypted at /dev/" in refused["cause"]
    assert "us-east-1, eu-west-1; give the distribution kms_keys" in refused["cause"]
    assert [one["status"] for one in ended] == ["SUCCEEDED"] * 2, ended
    copied = {
        (one["Region"], image["ImageId"]): {disk["Ebs"]["Encrypted"] for disk in image["BlockDeviceMappings"]}
        for run in ended
        for one in json.loads(run["output"])["amis"]
        for image in aws("ec2", one["Region"]).describe_images(ImageIds=[one["Image"]])["Images"]
    }
    assert list(copied.values()) == [{True}] * 4


def test_a_parameter_an_object_and_an_event_start_the_producer(shop: Shop) -> None:
    ec2, s3_client = shop.aws("ec2"), shop.aws("s3")
    s3_client.create_bucket(Bucket="bakery")
    s3_client.put_bucket_notification_configuration(
        Bucket="bakery", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    amis = [own_ami(ec2, f"baked-{number}") for number in range(3)]

    shop.aws("ssm").put_parameter(Name="/bakery/newest", Value=amis[0], Type="String", DataType="aws:ec2:image")
    by_parameter = shop.machine.ended(shop.newest())
    s3_client.put_object(Bucket="bakery", Key="amis/1.json", Body=json.dumps({"ami": amis[1]}))
    by_object = shop.machine.ended(shop.newest())
    entry = {"Source": "shop", "DetailType": "baked", "Detail": json.dumps({"ami": amis[2]})}
    shop.aws("events").put_events(Entries=[entry])
    by_event = shop.machine.ended(shop.newest())

    ended = [by_parameter, by_object, by_event]
    assert [one["status"] for one in ended] == ["SUCCEEDED"] * 3, ended
    assert [json.loads(one["output"])["ami"] for one in ended] == amis


def test_a_project_and_an_image_start_it_with_what_their_events_hold() -> None:
    template = shop_template()
    rules = {name[:-8]: one["Properties"] for name, one in resources_of(template, "AWS::Events::Rule").items()}
    (built,) = [rule for rule in rules.values() if rule.get("EventPattern", {}).get("source") == ["aws.codebuild"]]
    (baked,) = [rule for rule in rules.values() if rule.get("EventPattern", {}).get("source") == ["aws.imagebuilder"]]

    assert built["EventPattern"]["detail"] == {"project-name": ["bake"], "build-status": ["SUCCEEDED"]}
    assert built["Targets"][0]["InputTransformer"]["InputPathsMap"] == {"detail-build-id": "$.detail.build-id"}
    assert baked["EventPattern"]["detail"] == {"state": {"status": ["AVAILABLE"]}}
    assert baked["Targets"][0]["InputTransformer"]["InputPathsMap"] == {"resources-0-": "$.resources[0]"}
    shown = {
        "Builds": [
            {"ExportedEnvironmentVariables": [{"Name": "A", "Value": "1"}, {"Name": "AMI_ID", "Value": "ami-1"}]}
        ]
    }
    states = json.loads(definition_of(template))["States"]
    assert jsonpath.read(states["ReadBuild"]["ResultSelector"]["amis.$"], shown) == ["ami-1"]
    granted = json.dumps(resources_of(template, "AWS::IAM::Policy"))
    assert "codebuild:BatchGetBuilds" in granted
    ended = {
        name: rule["EventPattern"]["detail"]["status"] for name, rule in rules.items() if "stateMachineArn" in str(rule)
    }
    assert ended == {"ShopDistributed": ["SUCCEEDED"], "ShopFailing": ["FAILED", "TIMED_OUT", "ABORTED"]}


def test_the_execution_role_may_do_what_its_distribution_asks_and_no_more() -> None:
    other = "210987654321"
    targets = [
        Target(region="us-east-1"),
        Target(
            region="eu-west-1",
            kms_key=KEY,
            accounts=[other],
            launch_permission=LaunchPermission(accounts=[other]),
            launch_templates=[
                LaunchTemplateUpdate(launch_template_id="lt-0123456789abcdef0", set_default_version=True)
            ],
            channels=["candidate"],
            fast_launches=[FastLaunch()],
            license_configurations=[LICENSE],
        ),
    ]
    permissions = ExecutionPermissions(
        place=Place(partition="aws", region="us-east-1", account=ACCOUNT),
        image="shop",
        targets=targets,
        entry_channel="latest",
        source_keys=["alias/bakery"],
        log_group_arn="arn:aws:logs:us-east-1:123456789012:log-group:/aws/imagebuilder/shop/distribution:*",
    )

    found = {statement["Sid"]: statement for statement in permissions.document()["Statement"]}

    assert found["Share"]["Resource"] == ["arn:aws:ec2:us-east-1::image/*", "arn:aws:ec2:eu-west-1::image/*"]
    assert found["TargetAccounts"]["Resource"] == (
        f"arn:aws:iam::{other}:role/EC2ImageBuilderDistributionCrossAccountRole"
    )
    assert found["Channels"]["Resource"] == [
        f"arn:aws:ssm:{region}:{ACCOUNT}:parameter/imagebuilder/shop/{channel}"
        for region, channel in (("us-east-1", "latest"), ("eu-west-1", "latest"), ("eu-west-1", "candidate"))
    ]
    assert found["LaunchTemplates"]["Resource"] == (
        f"arn:aws:ec2:eu-west-1:{ACCOUNT}:launch-template/lt-0123456789abcdef0"
    )
    assert (found["Key0"]["Resource"], found["Key1"]["Resource"]) == (f"arn:aws:kms:us-east-1:{ACCOUNT}:key/*", KEY)
    assert found["Key0"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"},
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/bakery"},
    }
    assert found["KeyGrant1"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "ec2.eu-west-1.amazonaws.com"},
        "Bool": {"kms:GrantIsForAWSResource": "true"},
    }
    assert found["FastLaunch"]["Condition"] == {"StringEquals": {"aws:ResourceTag/CreatedBy": "EC2 Image Builder"}}
    assert found["Licenses"]["Resource"] == LICENSE
    assert [sid for sid, one in found.items() if one["Resource"] == "*"] == ["Look"]


def test_a_delivery_is_named_in_a_state_machine_as_it_is_by_hand() -> None:
    ami, arn, contents = "ami-0123456789abcdef0", "arn:aws:imagebuilder:x:1:distribution-configuration/shop", "f" * 32
    token = delivery_token(ami, arn, contents)

    formula = intrinsics.parse(token_formula("$.ami", arn, contents))

    assert formula.answer(lambda path: {"$.ami": ami}[path]) == token
    assert len(token) == 64
    assert delivery_noted(delivery_note(token, "arn"), token) == "arn"
    assert delivery_noted(delivery_note("another", "arn"), token) is None
    assert len(delivery_tag("x" * 128)) <= 128
    assert contents_fingerprint([{"region": "a"}]) != contents_fingerprint([{"region": "b"}])


def test_a_wave_has_a_configuration_and_a_log_of_its_own_and_the_channel_of_the_image() -> None:
    stack = make_stack()
    for wave, region in ((None, "us-east-1"), ("Asia", "ap-south-1")):
        ImageProducer(stack, f"Shop{wave}", name="shop", wave=wave, distribution=Distribution.to_regions(region))
    template = template_of(stack)

    configurations = resources_of(template, "AWS::ImageBuilder::DistributionConfiguration").values()
    groups = resources_of(template, "AWS::Logs::LogGroup").values()

    assert [one["Properties"]["Name"] for one in configurations] == ["shop", "shop-asia"]
    assert [one["Properties"]["LogGroupName"] for one in groups] == [
        "/aws/imagebuilder/shop/distribution",
        "/aws/imagebuilder/shop-asia/distribution",
    ]
    assert {
        one["Properties"]["Distributions"][0]["SsmParameterConfigurations"][0]["ParameterName"]
        for one in configurations
    } == {"/imagebuilder/shop/latest"}


def test_what_starts_nothing_is_refused_by_the_producer_and_the_argument() -> None:
    stack = make_stack()
    producer = ImageProducer(stack, "Shop", name="shop")
    rule = events.Rule(stack, "Rule", event_pattern=events.EventPattern(source=["shop"]))
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "bakery")
    wrong: list[tuple[Any, dict[str, str], str]] = [
        (kms.Key.from_key_arn(stack, "Key", KEY), {}, "source"),
        (rule, {}, "ami_path"),
        (bucket, {"ami_path": "$.detail.ami"}, "ami_path"),
        (rule, {"ami_path": "$.detail.ami", "key_prefix": "amis/"}, "key_prefix"),
    ]

    for source, arguments, prop in wrong:
        with pytest.raises(ConfigError) as caught:
            producer.start_from(source, **arguments)
        assert (caught.value.where, caught.value.prop) == ("S/Shop", prop)
    with pytest.raises(ConfigError) as refused:
        ImageProducer(stack, "Never", name="never", source_keys=[KEY], patience=Duration.days(400), wave="!")

    assert [fault.prop for fault in refused.value.faults] == ["wave", "source_keys[0]", "patience"]
