"""Each role does its job and reaches nothing of another image: the rendered policies, judged as IAM judges them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import aws_cdk as cdk
import pytest

from cdk_ami import (
    Component,
    Distribution,
    FastLaunch,
    GoldenImage,
    ImageKey,
    ImageProducer,
    LaunchPermission,
    LaunchTemplateUpdate,
    SourceImage,
    Target,
    TargetAccountRole,
    Volume,
)
from cdk_ami.sandbox.access.documents import Need, Verdict, judge
from tests.support.synth import make_app, resources_of

BUILDS, RECEIVES = "123456789012", "222222222222"
HOME, ABROAD, ELSEWHERE = "us-east-1", "eu-west-1", "ap-south-1"
OURS, THEIRS = "lt-00000000000000001", "lt-00000000000000002"
BUILDER = "EC2 Image Builder"
Keys = Mapping[str, Sequence[str]]


class Case(NamedTuple):
    """One question: may the role do the action on the resource?"""

    role: str
    action: str
    resource: str
    keys: Keys
    allowed: bool

    def key(self, name: str) -> Sequence[str] | None:
        """Return the values of a condition key."""
        return self.keys.get(name.lower())


def tagged(image: str | None, by: str | None = BUILDER) -> Keys:
    """Return the condition keys of an AMI, a snapshot or a launch template with these tags."""
    tags = {"aws:resourcetag/createdby": by, "aws:resourcetag/cdk-ami:image": image}
    return {name: (value,) for name, value in tags.items() if value}


OWN, OTHER, BY_HAND, NEW = tagged("web"), tagged("shop"), tagged(None, "a person"), tagged(None, None)
MARK: Keys = {"aws:requesttag/deprecatedby": (BUILDER,), "aws:tagkeys": ("DeprecatedBy",)}
UNMARK: Keys = {"aws:tagkeys": ("DeprecatedBy",)}
MADE: Keys = {"aws:requesttag/createdby": (BUILDER,)}
RETIREMENT = (
    "DeregisterImage",
    "DescribeImageAttribute",
    "DisableImage",
    "DisableImageDeprecation",
    "EnableImage",
    "EnableImageDeprecation",
)


def image(region: str) -> str:
    return f"arn:aws:ec2:{region}::image/ami-0123456789abcdef0"


def snapshot(region: str) -> str:
    return f"arn:aws:ec2:{region}::snapshot/snap-0123456789abcdef0"


def template(region: str, name: str, account: str) -> str:
    return f"arn:aws:ec2:{region}:{account}:launch-template/{name}"


def parameter(region: str, name: str, account: str) -> str:
    return f"arn:aws:ssm:{region}:{account}:parameter/imagebuilder/{name}"


def key(region: str) -> str:
    return f"arn:aws:kms:{region}:{BUILDS}:key/11111111-1111-1111-1111-111111111111"


def through(region: str, alias: str = "alias/imagebuilder/web", *, service: str = "ec2", grant: str = "true") -> Keys:
    return {
        "kms:viaservice": (f"{service}.{region}.amazonaws.com",),
        "kms:resourcealiases": (alias,),
        "kms:grantisforawsresource": (grant,),
    }


def distribution_cases(region: str) -> Iterator[Case]:
    """Yield what the distribution role is asked in one Region of its account."""

    def case(action: str, resource: str, keys: Keys, *, allowed: bool) -> Case:
        return Case("distribution", action, resource, {"aws:requestedregion": (region,), **keys}, allowed)

    yield case("ec2:DescribeImages", "*", {}, allowed=True)
    yield case("ec2:CopyImage", image(region), NEW, allowed=True)
    yield case("ec2:CopyImage", image(HOME), NEW, allowed=True)  # of the build's account, which says who may
    for what in (image(region), snapshot(region)):
        yield case("ec2:CreateTags", what, {**NEW, **MADE}, allowed=True)
        yield case("ec2:CreateTags", what, {**OWN, **MADE}, allowed=True)
        yield case("ec2:CreateTags", what, {**OTHER, **MADE}, allowed=False)
        yield case("ec2:CreateTags", what, {**BY_HAND, **MADE}, allowed=False)
        yield case("ec2:DeleteTags", what, OWN, allowed=False)
    yield case("ec2:ModifyImageAttribute", image(region), OWN, allowed=True)
    for tags in (OTHER, BY_HAND, NEW):
        yield case("ec2:ModifyImageAttribute", image(region), tags, allowed=False)
    for action in ("DeregisterImage", "DisableImage", "EnableImageDeprecation"):
        yield case(f"ec2:{action}", image(region), OWN, allowed=False)
    yield case("ec2:DeleteSnapshot", snapshot(region), OWN, allowed=False)
    yield case("ec2:ModifySnapshotAttribute", snapshot(region), OWN, allowed=False)
    yield case("ec2:EnableFastLaunch", image(region), OWN, allowed=True)
    yield case("ec2:EnableFastLaunch", image(region), OTHER, allowed=False)
    for action in ("CreateLaunchTemplateVersion", "ModifyLaunchTemplate"):
        yield case(f"ec2:{action}", template(region, OURS, RECEIVES), tagged(None), allowed=True)
        yield case(f"ec2:{action}", template(region, OURS, RECEIVES), NEW, allowed=False)
        yield case(f"ec2:{action}", template(region, THEIRS, RECEIVES), tagged(None), allowed=False)
        yield case(f"ec2:{action}", template(ELSEWHERE, OURS, RECEIVES), tagged(None), allowed=False)
    yield case("ec2:DeleteLaunchTemplate", template(region, OURS, RECEIVES), tagged(None), allowed=False)
    for action in ("ssm:GetParameter", "ssm:PutParameter"):
        for channel, allowed in (
            ("web/latest", True),
            ("web/stable", True),
            ("web/other", False),
            ("shop/latest", False),
        ):
            yield case(action, parameter(region, channel, RECEIVES), {}, allowed=allowed)
    yield case("ssm:DeleteParameter", parameter(region, "web/latest", RECEIVES), {}, allowed=False)
    for action in ("ec2:RunInstances", "iam:PassRole", "sts:AssumeRole", "s3:GetObject", "ec2:CreateImage"):
        yield case(action, "*", {}, allowed=False)


def key_cases(region: str) -> Iterator[Case]:
    """Yield what the distribution role is asked to do with the key of one Region: of the build's or of the copy's."""

    def case(action: str, resource: str, keys: Keys, *, allowed: bool) -> Case:
        return Case("distribution", action, resource, keys, allowed)

    for action in ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKeyWithoutPlaintext", "ReEncryptTo"):
        yield case(f"kms:{action}", key(region), through(region), allowed=True)
        yield case(f"kms:{action}", key(region), through(region, "alias/imagebuilder/shop"), allowed=False)
        yield case(f"kms:{action}", key(region), through(region, service="s3"), allowed=False)
    yield case("kms:CreateGrant", key(region), through(region), allowed=True)
    yield case("kms:CreateGrant", key(region), through(region, grant="false"), allowed=False)
    yield case("kms:ScheduleKeyDeletion", key(region), through(region), allowed=False)
    yield case("kms:Decrypt", key(ELSEWHERE), through(ELSEWHERE), allowed=False)


def distribution_cases_elsewhere() -> Iterator[Case]:
    """Yield what the distribution role is asked in a Region that receives nothing."""
    keys = {"aws:requestedregion": (ELSEWHERE,)}
    yield Case("distribution", "ec2:CopyImage", image(ELSEWHERE), {**keys, **NEW}, allowed=False)
    yield Case("distribution", "ec2:CreateTags", image(ELSEWHERE), {**keys, **NEW, **MADE}, allowed=False)
    yield Case("distribution", "ssm:PutParameter", parameter(ELSEWHERE, "web/latest", RECEIVES), keys, allowed=False)


def lifecycle_cases(region: str) -> Iterator[Case]:
    """Yield what the lifecycle role is asked in one Region."""

    def case(action: str, resource: str, keys: Keys, *, allowed: bool) -> Case:
        return Case("lifecycle", action, resource, keys, allowed)

    yield case("ec2:DescribeImages", "*", {}, allowed=True)
    for action in RETIREMENT:
        for tags, allowed in ((OWN, True), (OTHER, False), (BY_HAND, False), (NEW, False)):
            yield case(f"ec2:{action}", image(region), tags, allowed=allowed)
    for tags, allowed in ((OWN, True), (tagged(None), True), (OTHER, False), (BY_HAND, False), (NEW, False)):
        yield case("ec2:DeleteSnapshot", snapshot(region), tags, allowed=allowed)
    for what in (image(region), snapshot(region)):
        for tags, allowed in ((OWN, True), (OTHER, False), (NEW, False)):
            yield case("ec2:CreateTags", what, {**tags, **MARK}, allowed=allowed)
            yield case("ec2:DeleteTags", what, {**tags, **UNMARK}, allowed=allowed)
        yield case("ec2:CreateTags", what, {**OWN, "aws:requesttag/a": ("b",), "aws:tagkeys": ("a",)}, allowed=False)
    for action in ("CopyImage", "ModifyImageAttribute", "CreateImage", "RunInstances"):
        yield case(f"ec2:{action}", image(region), OWN, allowed=False)
    yield case("ssm:PutParameter", parameter(region, "web/latest", RECEIVES), {}, allowed=False)
    yield case("kms:Decrypt", key(region), through(region), allowed=False)
    yield case("ec2:ModifyLaunchTemplate", template(region, OURS, RECEIVES), tagged(None), allowed=False)
    yield case("imagebuilder:DeleteImage", "*", {}, allowed=False)


def build_cases() -> Iterator[Case]:
    """Yield what the build instance is asked."""

    def case(action: str, resource: str, *, allowed: bool) -> Case:
        return Case("build", action, resource, OWN, allowed)

    yield case("ssmmessages:OpenDataChannel", "*", allowed=True)
    yield case("s3:GetObject", f"arn:aws:s3:::ec2imagebuilder-toe-{HOME}-prod/runner", allowed=True)
    yield case("s3:GetObject", "arn:aws:s3:::another-bucket/object", allowed=False)
    yield case(
        "imagebuilder:GetComponent", f"arn:aws:imagebuilder:{HOME}:aws:component/update-windows/1.0.2/1", allowed=True
    )
    yield case(
        "imagebuilder:GetComponent", f"arn:aws:imagebuilder:{HOME}:{BUILDS}:component/shop/1.0.0/1", allowed=False
    )
    yield case("logs:PutLogEvents", f"arn:aws:logs:{HOME}:{BUILDS}:WebLogGroup:1", allowed=True)
    yield case("logs:PutLogEvents", f"arn:aws:logs:{HOME}:{BUILDS}:log-group:/aws/imagebuilder/shop:1", allowed=False)
    for action in ("CopyImage", "CreateImage", "CreateTags", "DeregisterImage", "ModifyImageAttribute"):
        yield case(f"ec2:{action}", image(HOME), allowed=False)
    for channel in ("web/latest", "shop/latest"):
        for action in ("ssm:GetParameter", "ssm:PutParameter"):
            yield case(action, parameter(HOME, channel, BUILDS), allowed=False)
    yield case("ec2:CreateLaunchTemplateVersion", template(HOME, OURS, BUILDS), allowed=False)
    yield case("kms:Decrypt", key(HOME), allowed=False)
    for action in ("iam:PassRole", "sts:AssumeRole", "ec2:RunInstances", "secretsmanager:GetSecretValue"):
        yield case(action, "*", allowed=False)


def execution_cases(region: str) -> Iterator[Case]:
    """Yield what the execution role of a distribution is asked in one Region of the build's account."""

    def case(action: str, resource: str, keys: Keys, *, allowed: bool) -> Case:
        return Case("execution", action, resource, keys, allowed)

    yield case("ec2:DescribeImages", "*", {}, allowed=True)
    yield case("ec2:CopyImage", image(region), NEW, allowed=True)
    yield case("ec2:CopyImage", image(ELSEWHERE), NEW, allowed=False)
    for what in (image(region), snapshot(region)):
        for tags, allowed in ((NEW, True), (OWN, True), (OTHER, False)):
            yield case("ec2:CreateTags", what, {**tags, **MADE}, allowed=allowed)
    for tags, allowed in ((NEW, True), (OWN, True), (OTHER, False)):  # a source from elsewhere is lent for its copies
        yield case("ec2:ModifyImageAttribute", image(region), tags, allowed=allowed)
        yield case("ec2:ModifySnapshotAttribute", snapshot(region), tags, allowed=allowed)
    for action in ("DeregisterImage", "DisableImage", "EnableImageDeprecation"):
        yield case(f"ec2:{action}", image(region), OWN, allowed=False)
    for action in ("ssm:GetParameter", "ssm:PutParameter"):
        for channel, allowed in (("web/latest", True), ("shop/latest", False), ("web/other", False)):
            yield case(action, parameter(region, channel, BUILDS), {}, allowed=allowed)
    yield case("ec2:CreateLaunchTemplateVersion", template(region, THEIRS, BUILDS), tagged(None), allowed=False)
    for action in ("kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant"):
        yield case(action, key(region), through(region), allowed=True)
        yield case(action, key(region), through(region, "alias/imagebuilder/shop"), allowed=False)
    role = "role/EC2ImageBuilderDistributionCrossAccountRole"
    yield case("sts:AssumeRole", f"arn:aws:iam::{RECEIVES}:{role}", {}, allowed=True)
    yield case("sts:AssumeRole", f"arn:aws:iam::333333333333:{role}", {}, allowed=False)
    yield case("sts:AssumeRole", f"arn:aws:iam::{RECEIVES}:role/Admin", {}, allowed=False)
    for action in ("ec2:RunInstances", "iam:PassRole"):
        yield case(action, "*", {}, allowed=False)


def all_cases() -> Iterator[Case]:
    for region in (HOME, ABROAD):
        yield from distribution_cases(region)
        yield from key_cases(region)
        yield from lifecycle_cases(region)
        yield from execution_cases(region)
    yield from distribution_cases_elsewhere()
    yield from build_cases()


CASES = list({str(case): case for case in all_cases()}.values())  # what both Regions ask alike is asked once


@pytest.fixture(scope="module")
def documents() -> dict[str, dict[str, Any]]:
    """The rendered policy of each role."""
    app = make_app()
    keys = ImageKey.arns("web", (HOME, ABROAD), account=BUILDS)
    everything = Distribution(
        targets=[
            Target(
                region=region,
                accounts=[RECEIVES],
                launch_permission=LaunchPermission(accounts=["333333333333"]),
                launch_templates=[
                    LaunchTemplateUpdate(launch_template_id=OURS, set_default_version=True, account=RECEIVES)
                ],
                fast_launches=[FastLaunch(account=RECEIVES)],
            )
            for region in (HOME, ABROAD)
        ],
        kms_keys=keys,
    )
    images = cdk.Stack(app, "Images", env=cdk.Environment(account=BUILDS, region=HOME))
    GoldenImage(
        images,
        "Web",
        name="web",
        source=SourceImage.windows_server(version="2022"),
        volumes=[Volume(kms_key=keys[HOME])],
        components=[Component.aws_managed("update-windows")],
        distribution=everything,
    )
    packed = cdk.Stack(app, "Packed", env=cdk.Environment(account=BUILDS, region=HOME))
    ImageProducer(
        packed,
        "Web",
        name="web",
        wave="packed",
        distribution=Distribution(
            targets=[Target(region=region, accounts=[RECEIVES]) for region in (HOME, ABROAD)], kms_keys=keys
        ),
        source_keys=[keys[HOME]],
    )
    receives = cdk.Stack(app, "Receives", env=cdk.Environment(account=RECEIVES, region=HOME))
    TargetAccountRole(
        receives,
        "Images",
        source_account=BUILDS,
        deliveries=everything.deliveries("web", account=RECEIVES, source_region=HOME, promoted=["stable"]),
    )
    assembly = app.synth()
    found = {
        "distribution": ("Receives", "DistributionRole"),
        "lifecycle": ("Receives", "LifecycleRole"),
        "build": ("Images", "WebRole"),
        "execution": ("Packed", "ExecutionRole"),
    }
    return {
        role: policy_of(
            assembly.get_stack_by_name(stack).template, part, account=RECEIVES if stack == "Receives" else BUILDS
        )
        for role, (stack, part) in found.items()
    }


def policy_of(template: dict[str, Any], part: str, *, account: str) -> dict[str, Any]:
    """Return the policy of the role whose logical id holds ``part``, references filled in."""
    (role,) = [one for name, one in resources_of(template, "AWS::IAM::Role").items() if part in name]
    (policy,) = role["Properties"]["Policies"]
    document: dict[str, Any] = filled(policy["PolicyDocument"], account)
    return document


def filled(value: Any, account: str) -> Any:
    """Return ``value`` with references to resources as ARNs that hold the logical id without its hash."""
    match value:
        case {"Fn::GetAtt": [str(name), _]}:
            return f"arn:aws:logs:{HOME}:{account}:{name[:-8]}:*"
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(filled(part, account) for part in parts)
        case {"Ref": "AWS::AccountId"}:
            return account
        case dict():
            return {name: filled(one, account) for name, one in value.items()}
        case list():
            return [filled(one, account) for one in value]
        case _:
            return value


def test_each_role_does_its_job_and_reaches_nothing_of_another_image(documents: dict[str, dict[str, Any]]) -> None:
    wrong = []
    for case in CASES:
        need = Need(action=case.action, resource=case.resource)
        allowed = judge([documents[case.role]], need, case.key)
        if (allowed is Verdict.ALLOWED) != case.allowed:
            wrong.append(case)

    counted = Counter((case.role, case.allowed) for case in CASES)
    print(f"{len(CASES)} cases of role, action and resource: {dict(counted)}")  # noqa: T201 - the figure is the point
    assert wrong == []
    assert len(CASES) == 322
    assert {role for role, allowed in counted if allowed} == {role for role, _ in counted} == set(documents)
