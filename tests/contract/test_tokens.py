"""What only the deployment knows goes through every check into the template.

Each row is one option that is checked; it is given each kind of token that suits it, in a stack of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_s3 as s3

from cdk_ami import (
    AgentConfig,
    AgentLog,
    BuildEnvironment,
    BuildSchedule,
    BuildTrigger,
    Component,
    Distribution,
    FastLaunch,
    GoldenImage,
    ImageChannel,
    LaunchPermission,
    LaunchTemplateUpdate,
    SourceImage,
    Target,
    Tracking,
    Volume,
)
from cdk_ami.recipe.yaml_text import parse_yaml
from tests.contract.refusals.row import fleet, image, twins, written
from tests.support.images import DISTRIBUTION
from tests.support.synth import app_context, make_stack, only_resource, template_of

Make = Callable[[cdk.Stack, Any], object]
ARN: Final = "arn:aws:imagebuilder:us-east-1:123456789012:component/own/1.0.0"
ACCOUNT: Final = "210987654321"
TEMPLATE: Final = "lt-0123456789abcdef0"
DATE: Final = "{{ imagebuilder:buildDate }}"
DOCUMENT: Final = """\
schemaVersion: 1.0
parameters:
  - Port: {type: string, default: '80'}
phases:
  - name: build
    steps:
      - {name: Install, action: ExecuteBash, inputs: {commands: ['echo {{ Port }}']}}
"""
PARSED: Final[Any] = parse_yaml(DOCUMENT)


@jsii.implements(cdk.IStableStringProducer)
class LaterText:
    def produce(self) -> str:
        return "later"


@jsii.implements(cdk.IStableNumberProducer)
class LaterNumber:
    def produce(self) -> float:
        return 271_828


@jsii.implements(cdk.IStableListProducer)
class LaterList:
    def produce(self) -> list[str]:
        return ["later", "still"]


# How to make a token, and what of it stands in the template.
Token = tuple[Callable[[cdk.Stack], Any], str]
TEXTS: Final[list[Token]] = [
    (lambda stack: cdk.CfnParameter(stack, "Given").value_as_string, '{"Ref": "Given"}'),
    (lambda _: f"in-{cdk.Fn.import_value('Elsewhere')}", '{"Fn::ImportValue": "Elsewhere"}'),
    (lambda _: cdk.Lazy.string(LaterText()), "later"),
]
NUMBERS: Final[list[Token]] = [
    (lambda stack: cdk.CfnParameter(stack, "Given", type="Number").value_as_number, '{"Ref": "Given"}'),
    (lambda _: cdk.Token.as_number(cdk.Fn.import_value("Elsewhere")), '{"Fn::ImportValue": "Elsewhere"}'),
    (lambda _: cdk.Lazy.number(LaterNumber()), "271828"),
]
LISTS: Final[list[Token]] = [
    (lambda stack: cdk.CfnParameter(stack, "Given", type="CommaDelimitedList").value_as_list, '{"Ref": "Given"}'),
    (lambda _: cdk.Fn.split(",", cdk.Fn.import_value("Elsewhere")), '{"Fn::ImportValue": "Elsewhere"}'),
    (lambda _: cdk.Lazy.list(LaterList()), '"still"'),
]


def of_source(make: Callable[[Any], SourceImage]) -> Make:
    return lambda stack, token: image(stack, source=make(token))


def of_component(make: Callable[[Any], Component]) -> Make:
    return lambda stack, token: image(stack, components=[make(token)])


def of_volume(make: Callable[[Any], Volume]) -> Make:
    def use(stack: cdk.Stack, token: Any) -> None:
        image(stack, volumes=[make(token)])
        fleet(stack, volumes=[make(token)])

    return use


def of_environment(option: str, wrap: Callable[[Any], Any] = lambda token: token) -> Make:
    def use(stack: cdk.Stack, token: Any) -> None:
        bucket = s3.Bucket.from_bucket_name(stack, "Logs", "logs")
        options: dict[str, Any] = {"log_bucket": bucket, option: wrap(token)}
        image(stack, environment=BuildEnvironment(**options))

    return use


def of_schedule(option: str) -> Make:
    def use(stack: cdk.Stack, token: Any) -> None:
        options: dict[str, Any] = {"expression": "rate(1 day)"} | {option: token}
        image(stack, trigger=BuildTrigger.schedule(BuildSchedule(**options)))

    return use


def of_target(option: str, wrap: Callable[[Any], Any] = lambda token: token) -> Make:
    def use(stack: cdk.Stack, token: Any) -> None:
        options: dict[str, Any] = {"region": "us-east-1", "accounts": [ACCOUNT], "kms_key": "alias/golden"}
        options |= {option: wrap(token)}
        image(stack, distribution=Distribution(targets=[Target(**options)]))

    return use


def of_fast_launch(option: str, **others: Any) -> Make:
    def use(stack: cdk.Stack, token: Any) -> None:
        target = Target(region="us-east-1", fast_launches=[FastLaunch(**{option: token}, **others)])
        source = SourceImage.windows_server(version="2025")
        image(stack, source=source, distribution=Distribution(targets=[target]))

    return use


def copies_to(accounts: list[str]) -> Distribution:
    return Distribution(targets=[Target(region="us-east-1", accounts=accounts, kms_key="alias/golden")])


def of_permission(option: str, wrap: Callable[[Any], Any] = lambda token: token) -> Make:
    return of_target("launch_permission", lambda token: LaunchPermission(**{option: wrap(token)}))


def of_fleets(option: str, wrap: Callable[[Any], Any] = lambda token: token) -> Make:
    def use(stack: cdk.Stack, token: Any) -> None:
        fleet(stack, **{option: wrap(token)})
        other = cdk.Stack(stack, "Other", env=cdk.Environment(account=stack.account, region=stack.region))
        twins(other, **{option: wrap(token)})

    return use


def of_fleet(*options: str, wrap: Callable[[Any], Any] = lambda token: token) -> Make:
    return lambda stack, token: fleet(stack, **{option: wrap(token) for option in options})


def of_channel(make: Callable[[Any], ImageChannel], **options: Any) -> Make:
    return lambda stack, token: fleet(stack, image=make(token).machine_image(**options))


def one(token: Any) -> list[Any]:
    return [token]


def value(token: Any) -> dict[str, Any]:
    return {"team": token}


def in_file(**options: Any) -> Component:
    return Component.from_file(written("web.yaml", DOCUMENT), **options)


OF_TEXT: Final[dict[str, Make]] = {
    "SourceImage.from_ssm_parameter name": of_source(SourceImage.from_ssm_parameter),
    "SourceImage.from_ami_id ami_id": of_source(SourceImage.from_ami_id),
    "SourceImage.from_ami_id root_device": of_source(lambda token: SourceImage.from_ami_id(token, root_device=token)),
    "SourceImage.from_image_builder name_or_arn": of_source(SourceImage.from_image_builder),
    "SourceImage.from_image_builder version": of_source(
        lambda token: SourceImage.from_image_builder("ubuntu-server-24-lts-x86", version=token)
    ),
    "SourceImage.from_channel channel": of_source(lambda token: SourceImage.from_channel(ImageChannel(token))),
    "SourceImage.marketplace product_id": of_source(SourceImage.marketplace),
    "SourceImage.marketplace version": of_source(
        lambda token: SourceImage.marketplace("prod-0123456789abc", version=token)
    ),
    "Component.from_commands name": of_component(lambda token: Component.from_commands(token, ["true"])),
    "Component.from_commands commands": of_component(lambda token: Component.from_commands("web", ["true", token])),
    "Component.from_commands supported_os": of_component(
        lambda token: Component.from_commands("web", ["true"], supported_os=[token])
    ),
    "Component.from_file name": of_component(lambda token: in_file(name=token)),
    "Component.from_file parameters": of_component(lambda token: in_file(parameters={"Port": token})),
    "Component.from_document parameters": of_component(
        lambda token: Component.from_document(PARSED, name="web", parameters={"Port": token})
    ),
    "Component.packages version": of_component(lambda token: Component.packages("web", {"git": token})),
    "Component.packages name": of_component(lambda token: Component.packages("web", [token], remove=[token])),
    "Component.service unit": of_component(lambda token: Component.service(token, name="web")),
    "Component.cloudwatch_agent namespace": of_component(
        lambda token: Component.cloudwatch_agent(AgentConfig(namespace=token))
    ),
    "Component.cloudwatch_agent log_group": of_component(
        lambda token: Component.cloudwatch_agent(AgentConfig(logs=[AgentLog(path="/var/log/x", log_group=token)]))
    ),
    "Component.marketplace product_id": of_component(lambda token: Component.marketplace("web-linux", token)),
    "Component.marketplace version": of_component(
        lambda token: Component.marketplace("web-linux", "prod-abcdefgh12345", version=token)
    ),
    "Component.from_arn arn": of_component(Component.from_arn),
    "Component.from_arn parameters": of_component(lambda token: Component.from_arn(ARN, parameters={"Port": token})),
    "Component.aws_managed name": of_component(Component.aws_managed),
    "Component.aws_managed version": of_component(lambda token: Component.aws_managed("update-linux", version=token)),
    "Component.aws_managed parameters": of_component(
        lambda token: Component.aws_managed("update-linux", parameters={"Port": [token]})
    ),
    "Volume type": of_volume(lambda token: Volume(type=token, size_gib=10, iops=4_000, throughput_mib=500)),
    "Volume kms_key": of_volume(lambda token: Volume(kms_key=token)),
    "Volume device": of_volume(lambda token: Volume(device=token, size_gib=10)),
    "BuildEnvironment instance_types": of_environment("instance_types", one),
    "BuildEnvironment log_prefix": of_environment("log_prefix"),
    "BuildEnvironment resource_tags": of_environment("resource_tags", value),
    "BuildSchedule expression": of_schedule("expression"),
    "BuildSchedule time_zone": of_schedule("time_zone"),
    "GoldenImage name": lambda stack, token: image(stack, name=token),
    "GoldenImage tags": lambda stack, token: image(stack, tags=value(token)),
    "GoldenImage working_directory": lambda stack, token: image(stack, working_directory=token),
    "GoldenImage.from_name name": lambda stack, token: GoldenImage.from_name(stack, "Web", token).on_build_failed("On"),
    "GoldenImage.from_pipeline_arn pipeline_arn": lambda stack, token: GoldenImage.from_pipeline_arn(
        stack, "Web", token
    ).on_pipeline_disabled("On"),
    "Distribution entry_channel": lambda stack, token: image(
        stack, distribution=Distribution.to_regions("us-east-1", entry_channel=token)
    ),
    "Distribution tags": lambda stack, token: image(
        stack, distribution=Distribution.to_regions("us-east-1", tags=value(token))
    ),
    "Target region": of_target("region"),
    "Target region beside others": lambda stack, token: image(
        stack, distribution=Distribution.to_regions("us-east-1", token, "eu-west-1")
    ),
    "Target ami_name": of_target("ami_name", lambda token: f"{token} {DATE}"),
    "Target description": of_target("description"),
    "Target tags": of_target("tags", value),
    "Target kms_key": of_target("kms_key"),
    "Target license_configurations": of_target("license_configurations", one),
    "FastLaunch launch_template_id": of_fast_launch("launch_template_id", launch_template_version="1"),
    "Target accounts": of_target("accounts", one),
    "Target channels": of_target("channels", one),
    "LaunchTemplateUpdate launch_template_id": of_target(
        "launch_templates", lambda token: [LaunchTemplateUpdate(launch_template_id=token, set_default_version=True)]
    ),
    "LaunchTemplateUpdate account": of_target(
        "launch_templates",
        lambda token: [LaunchTemplateUpdate(launch_template_id=TEMPLATE, set_default_version=True, account=token)],
    ),
    "LaunchPermission accounts": of_permission("accounts", one),
    "LaunchPermission organizations": of_permission("organizations", one),
    "LaunchPermission organizational_units": of_permission("organizational_units", one),
    "ImageChannel image": of_channel(ImageChannel.from_name),
    "ImageChannel image at launch": of_channel(ImageChannel.from_name, tracking=Tracking.AT_LAUNCH),
    "ImageChannel channel": of_channel(lambda token: ImageChannel.from_name("web", token)),
    "ImageChannel channel at launch": of_channel(
        lambda token: ImageChannel.from_name("web", token), tracking=Tracking.AT_LAUNCH
    ),
    "ImageChannel.machine_image root_device": lambda stack, token: fleet(
        stack, image=ImageChannel.from_name("web").machine_image(root_device=token), volumes=[Volume(size_gib=9)]
    ),
    "ImageChannel.pinned ami_ids": lambda stack, token: fleet(
        stack, image=ImageChannel.from_name("web").pinned({"us-east-1": token})
    ),
    "fleet instance_type": of_fleets("instance_type"),
    "fleet user_data": of_fleets("user_data"),
    "fleet tags": of_fleets("tags", value),
    "fleet Name tag": of_fleets("tags", lambda token: {"Name": token}),
}
OF_NUMBER: Final[dict[str, Make]] = {
    "Volume size_gib": of_volume(lambda token: Volume(size_gib=token, iops=4_000)),
    "Volume iops": of_volume(lambda token: Volume(size_gib=10, iops=token, throughput_mib=1_000)),
    "Volume throughput_mib": of_volume(lambda token: Volume(throughput_mib=token)),
    "FastLaunch snapshots": of_fast_launch("snapshots"),
    "BuildEnvironment hop_limit": of_environment("hop_limit"),
    "BuildEnvironment log_retention_days": of_environment("log_retention_days"),
    "BuildSchedule disable_after_failures": of_schedule("disable_after_failures"),
    "ImageFleet min_size": of_fleet("min_size"),
    "ImageFleet max_size": of_fleet("max_size"),
    "ImageFleet desired_size": of_fleet("desired_size"),
    "ImageFleet every size": of_fleet("min_size", "max_size", "desired_size"),
    "ImageFleet min_healthy_percent": of_fleet("min_healthy_percent"),
    "ImageFleet max_healthy_percent": of_fleet("max_healthy_percent"),
    "ImageFleet warmup": of_fleet("warmup", wrap=cdk.Duration.seconds),
    "ImageFleet health_check_grace": of_fleet("health_check_grace", wrap=cdk.Duration.seconds),
}
OF_LIST: Final[dict[str, Make]] = {
    "Component.from_commands supported_os": of_component(
        lambda token: Component.from_commands("web", ["true"], supported_os=token)
    ),
    "Component.from_arn parameters": of_component(lambda token: Component.from_arn(ARN, parameters={"Port": token})),
    "Component.aws_managed parameters": of_component(
        lambda token: Component.aws_managed("update-linux", parameters={"Port": token})
    ),
    "BuildEnvironment instance_types": of_environment("instance_types"),
    "Target accounts": of_target("accounts"),
    "LaunchPermission accounts": of_permission("accounts"),
    "LaunchPermission organizations": of_permission("organizations"),
    "LaunchPermission organizational_units": of_permission("organizational_units"),
}


def cases() -> list[Any]:
    tables = (("text", TEXTS, OF_TEXT), ("number", NUMBERS, OF_NUMBER), ("list", LISTS, OF_LIST))
    return [
        pytest.param(tokens, make, id=f"{option}, {kind}")
        for kind, tokens, table in tables
        for option, make in table.items()
    ]


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("tokens", "make"), cases())
def test_a_token_is_not_refused_and_stands_in_the_template(tokens: list[Token], make: Make) -> None:
    app = cdk.App(context=app_context(), analytics_reporting=False, tree_metadata=False)
    stacks = [make_stack(f"S{number}", app=app) for number in range(len(tokens))]

    for stack, (token, _) in zip(stacks, tokens, strict=True):
        make(stack, token(stack))

    assembly = app.synth()
    for stack, (_, shown) in zip(stacks, tokens, strict=True):
        assert shown in json.dumps(assembly.get_stack_artifact(stack.artifact_id).template["Resources"])


def test_accounts_that_only_the_deployment_knows_get_copies_without_channels_and_a_warning() -> None:
    stack = make_stack()

    made = image(stack, distribution=copies_to(cdk.Fn.split(",", cdk.Fn.import_value("Elsewhere"))))

    (sent,) = only_resource(template_of(stack), DISTRIBUTION)["Properties"]["Distributions"]
    accounts = sent["AmiDistributionConfiguration"]["TargetAccountIds"]
    assert accounts == {"Fn::Split": [",", {"Fn::ImportValue": "Elsewhere"}]}
    assert [one["ParameterName"] for one in sent["SsmParameterConfigurations"]] == ["/imagebuilder/web/latest"]
    told = [str(entry.data) for child in made.node.find_all() for entry in child.node.metadata]
    assert [line for line in told if "cdk-ami::CopiesWithoutChannel" in line] != []


def test_a_channel_whose_name_only_the_deployment_knows_is_read_by_a_dynamic_reference() -> None:
    stack = make_stack()

    fleet(stack, image=ImageChannel.from_name(cdk.Fn.import_value("Elsewhere")).machine_image())

    template = template_of(stack)
    launched = only_resource(template, "AWS::EC2::LaunchTemplate")["Properties"]["LaunchTemplateData"]
    name = ["{{resolve:ssm:/imagebuilder/", {"Fn::ImportValue": "Elsewhere"}, "/latest}}"]
    assert launched["ImageId"] == {"Fn::Join": ["", name]}
    assert all("Channel" not in logical_id for logical_id in template["Parameters"])
