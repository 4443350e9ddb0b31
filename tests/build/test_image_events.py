"""Events that match one image, grants on it, and images of other stacks."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns

from cdk_ami.build.events import BuildState, ImageArns, Severity, state_pattern
from cdk_ami.build.golden_image import GoldenImage
from cdk_ami.errors import ConfigError
from tests.support.images import make_image
from tests.support.synth import ACCOUNT, make_stack, only_resource, template_of

RULE = "AWS::Events::Rule"
STEM = f"arn:aws:imagebuilder:us-east-1:{ACCOUNT}"
BUILDS = [{"prefix": f"{STEM}:image/web/"}]


@pytest.fixture(scope="module")
def patterns() -> dict[str, Any]:
    """The event pattern of each kind of rule."""
    stack = make_stack()
    image = make_image(stack)
    rules = {
        "any": image.on_build_state_change("Any"),
        "moving": image.on_build_state_change("Moving", states=[BuildState.TESTING, BuildState.DISTRIBUTING]),
        "succeeded": image.on_build_succeeded("Succeeded"),
        "failed": image.on_build_failed("Failed"),
        "cve": image.on_cve_detected("Cve"),
        "critical": image.on_cve_detected("Critical", severity=Severity.CRITICAL),
        "disabled": image.on_pipeline_disabled("Disabled"),
        "waiting": image.on_workflow_step_waiting("Waiting"),
    }
    ids = {
        name: stack.get_logical_id(rule.node.default_child)  # type: ignore[arg-type]
        for name, rule in rules.items()
    }
    resources = template_of(stack)["Resources"]
    return {name: resources[logical_id]["Properties"]["EventPattern"] for name, logical_id in ids.items()}


@pytest.mark.parametrize(
    ("name", "detail_type", "detail"),
    [
        ("any", "Image State Change", None),
        ("moving", "Image State Change", {"state": {"status": ["TESTING", "DISTRIBUTING"]}}),
        ("succeeded", "Image State Change", {"state": {"status": ["AVAILABLE"]}}),
        ("failed", "Image State Change", {"state": {"status": ["FAILED"]}}),
        ("cve", "CVE Detected", {"finding-severity-counts": {"all": [{"numeric": [">", 0]}]}}),
        ("critical", "CVE Detected", {"finding-severity-counts": {"critical": [{"numeric": [">", 0]}]}}),
        ("waiting", "Workflow Step Waiting", None),
    ],
)
def test_rules_match_builds_of_this_image_only(
    patterns: dict[str, Any], name: str, detail_type: str, detail: dict[str, Any] | None
) -> None:
    expected = {
        "source": ["aws.imagebuilder"],
        "detail-type": [f"EC2 Image Builder {detail_type}"],
        "resources": BUILDS,
    }

    assert patterns[name] == (expected | {"detail": detail} if detail else expected)


def test_the_rule_of_a_disabled_pipeline_matches_its_whole_arn(patterns: dict[str, Any]) -> None:
    assert patterns["disabled"] == {
        "source": ["aws.imagebuilder"],
        "detail-type": ["EC2 Image Builder Image Pipeline Automatically Disabled"],
        "resources": [f"{STEM}:image-pipeline/web"],
    }


def test_the_prefix_keeps_images_apart_whose_names_begin_alike() -> None:
    arns = ImageArns(partition="aws", region="us-east-1", account=ACCOUNT, name="web")

    prefix = state_pattern(arns, ()).resource

    assert f"{STEM}:image/web/1.0.3/2".startswith(prefix)
    assert not f"{STEM}:image/web-2/1.0.3/2".startswith(prefix)


def test_a_rule_sends_what_it_matches_to_its_target() -> None:
    stack = make_stack()
    topic = sns.Topic(stack, "Topic")

    make_image(stack).on_build_failed("Failed", target=targets.SnsTopic(topic))

    (target,) = only_resource(template_of(stack), RULE)["Properties"]["Targets"]
    assert target["Arn"] == {"Ref": "TopicBFC7AF6E"}


def test_who_may_start_a_build_may_tag_and_follow_it_and_nothing_else() -> None:
    stack = make_stack()
    role = iam.Role(stack, "Starter", assumed_by=iam.AccountRootPrincipal())

    make_image(stack).grant_start_build(role)

    policy = only_resource(template_of(stack), "AWS::IAM::Policy")["Properties"]["PolicyDocument"]
    assert policy["Statement"] == [
        {
            "Action": "imagebuilder:StartImagePipelineExecution",
            "Effect": "Allow",
            "Resource": {"Fn::GetAtt": ["WebPipelineF7944AB3", "Arn"]},
        },
        {
            "Action": ["imagebuilder:GetImage", "imagebuilder:TagResource"],
            "Effect": "Allow",
            "Resource": f"{STEM}:image/web/*",
        },
    ]


def test_an_image_of_another_stack_is_known_by_its_name() -> None:
    stack = make_stack()

    image = GoldenImage.from_name(stack, "Web", "Web Server", entry_channel="candidate")
    image.on_build_succeeded("Succeeded")

    assert image.channel.parameter_name == "/imagebuilder/web-server/candidate"
    assert image.pipeline_arn == f"{STEM}:image-pipeline/web-server"
    pattern = only_resource(template_of(stack), RULE)["Properties"]["EventPattern"]
    assert pattern["resources"] == [{"prefix": f"{STEM}:image/web-server/"}]


def test_an_image_of_another_stack_is_known_by_the_arn_of_its_pipeline() -> None:
    stack = make_stack()
    arn = "arn:aws:imagebuilder:eu-west-1:210987654321:image-pipeline/web"

    image = GoldenImage.from_pipeline_arn(stack, "Web", arn)

    assert (image.image_name, image.pipeline_arn) == ("web", arn)
    assert image.channel.parameter_name == "/imagebuilder/web/latest"


def test_the_arn_of_a_pipeline_may_be_a_token() -> None:
    stack = make_stack()
    parameter = cdk.CfnParameter(stack, "Pipeline")

    image = GoldenImage.from_pipeline_arn(stack, "Web", parameter.value_as_string)
    image.on_build_failed("Failed")

    (resource,) = only_resource(template_of(stack), RULE)["Properties"]["EventPattern"]["resources"]
    assert "Fn::Join" in resource["prefix"]


@pytest.mark.parametrize("arn", ["web", "arn:aws:imagebuilder:eu-west-1:210987654321:image-recipe/web/1.0.0"])
def test_what_is_no_pipeline_is_refused_by_name(arn: str) -> None:
    with pytest.raises(ConfigError) as caught:
        GoldenImage.from_pipeline_arn(make_stack(), "Web", arn)

    assert (caught.value.where, caught.value.prop, caught.value.got) == ("S/Web", "pipeline_arn", arn)
    assert caught.value.faults[0].rule == "cdk-ami::PipelineArn"


def test_an_import_checks_the_name() -> None:
    with pytest.raises(ConfigError) as caught:
        GoldenImage.from_name(make_stack(), "Web", "w")

    assert (caught.value.where, caught.value.prop, caught.value.got) == ("S/Web", "name", "w")
