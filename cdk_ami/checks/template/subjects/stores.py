"""Rules over what is stored beside images: parameters, logs, the Recycle Bin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cdk_ami.checks import builds
from cdk_ami.checks.rule import Problem
from cdk_ami.checks.secrets import SENSITIVE_NAME, looks_like_value, looks_secret
from cdk_ami.checks.template.places import Resource
from cdk_ami.checks.template.registry import Family, Severity, bind, template_rule
from cdk_ami.checks.template.types import LOG_GROUP, PARAMETER, PARAMETER_STORE, RECYCLE_BIN
from cdk_ami.limits import AMI_ID

_SSM: Final = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-parameter.html"
_CFN: Final = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html"
_SECRETS: Final = "https://docs.aws.amazon.com/secretsmanager/latest/userguide/best-practices.html"
_STANDARD_MAX: Final = 4_096
_ADVANCED_MAX: Final = 8_192
_BIN_DAYS: Final = (1, 365)

bind(
    builds.log_retention,
    rule="LogRetention",
    family=Family.FAILS,
    where={LOG_GROUP: ("RetentionInDays",)},
    reads=lambda place: place.number,
    why="CloudWatch Logs refuses the group.",
    bad=("{RetentionInDays: 100}", "{RetentionInDays: '0'}"),
    good=("{RetentionInDays: 90}", "{RetentionInDays: !Ref Days}"),
    module=__name__,
)


@template_rule(
    "LogsForEver",
    family=Family.COSTS,
    on=(LOG_GROUP,),
    why="Every line that was ever logged is kept, and paid for, for ever.",
    source="https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html",
    bad=("{LogGroupName: /aws/imagebuilder/web}",),
    good=(
        "{RetentionInDays: 90}",
        "{RetentionInDays: !Ref Days}",
        "Logs: {Type: AWS::Logs::LogGroup, Properties: !Ref L}",
    ),
)
def logs_for_ever(it: Resource) -> Iterator[Problem]:
    """A log group forgets some day."""
    days = it.get("RetentionInDays")
    if days.absent:
        yield days.problem("is missing, so nothing is ever forgotten", fix="set RetentionInDays, such as 90")


@template_rule(
    "SecureParameter",
    family=Family.FAILS,
    on=(PARAMETER_STORE,),
    why="CloudFormation makes no such parameters: the deployment fails.",
    source=_SSM,
    bad=("{Name: /web/secret, Type: SecureString, Value: x}",),
    good=("{Name: /web/size, Type: String, Value: x}", "{Name: /web/size, Type: StringList, Value: x}"),
)
def secure_parameter(it: Resource) -> Iterator[Problem]:
    """A parameter of a template is no SecureString."""
    kind = it.get("Type")
    if kind.text == "SecureString":
        yield kind.problem("cannot be made by a template", fix="use a secret of Secrets Manager")


@template_rule(
    "ParameterImage",
    family=Family.FAILS,
    on=(PARAMETER_STORE,),
    why="The Parameter Store refuses the value, some minutes after it said yes.",
    source="https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html",
    bad=(
        "{Name: /web, Type: String, DataType: 'aws:ec2:image', Value: latest}",
        "{Name: /web, Type: StringList, DataType: 'aws:ec2:image', Value: ami-0123456789abcdef0}",
    ),
    good=(
        "{Name: /web, Type: String, DataType: 'aws:ec2:image', Value: ami-0123456789abcdef0}",
        "{Name: /web, Type: String, DataType: 'aws:ec2:image', Value: !Ref Ami}",
        "{Name: /web, Type: String, Value: latest}",
    ),
)
def parameter_image(it: Resource) -> Iterator[Problem]:
    """A parameter of the data type aws:ec2:image is a String that holds an AMI id."""
    kind, value = it.get("Type"), it.get("Value")
    if it.get("DataType").text == "aws:ec2:image":
        if kind.text not in (None, "String"):
            yield kind.problem("is no type of such a parameter", fix="use String")
        if value.text is not None and not re.fullmatch(AMI_ID, value.text):
            yield value.problem("is no AMI id", fix="give an id such as ami-0123456789abcdef0")


@template_rule(
    "ParameterLength",
    family=Family.FAILS,
    on=(PARAMETER_STORE,),
    why="The Parameter Store refuses the value.",
    source="https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html",
    bad=(
        f"{{Name: /web, Type: String, Value: {'x' * 4_097}}}",
        f"{{Name: /web, Type: String, Tier: Advanced, Value: {'x' * 8_193}}}",
    ),
    good=(
        f"{{Name: /web, Type: String, Value: {'x' * 4_096}}}",
        f"{{Name: /web, Type: String, Tier: Advanced, Value: {'x' * 8_192}}}",
        f"{{Name: /web, Type: String, Tier: Intelligent-Tiering, Value: {'x' * 8_192}}}",
    ),
)
def parameter_length(it: Resource) -> Iterator[Problem]:
    """A parameter holds 4,096 characters, an advanced one 8,192."""
    value, tier = it.get("Value"), it.get("Tier")
    most = _STANDARD_MAX if tier.absent or tier.text == "Standard" else _ADVANCED_MAX
    if value.text is not None and len(value.text) > most:
        yield value.problem(f"has {len(value.text):,} characters", got=len(value.text), fix=f"keep it within {most:,}")


@template_rule(
    "SecretInParameter",
    family=Family.LEAKS,
    severity=Severity.WARNING,
    on=(PARAMETER_STORE,),
    why="Whoever may read the template or the parameter reads the secret.",
    source=_SECRETS,
    bad=(
        "{Name: /web/db-password, Type: String, Value: hunter2x}",
        "{Name: /web, Type: String, Value: 'password=hunter2x'}",
    ),
    good=("{Name: /web/size, Type: String, Value: hunter2x}", "{Name: /web/db-password, Type: String, Value: !Ref P}"),
)
def secret_in_parameter(it: Resource) -> Iterator[Problem]:
    """A parameter in the clear holds no secret."""
    value, name = it.get("Value"), it.get("Name").partial
    if value.text is None:
        return
    last = name.rpartition("/")[2]
    if looks_secret(value.text) or (re.fullmatch(SENSITIVE_NAME, last) and looks_like_value(value.text)):
        yield value.problem("looks like a secret", got="***", fix="keep it in Secrets Manager, and name it here")


@template_rule(
    "SecretInDefault",
    family=Family.LEAKS,
    severity=Severity.WARNING,
    on=(PARAMETER,),
    why="Whoever may read the template or the stack reads the secret.",
    source=_CFN,
    bad=(
        "{Type: String, Default: 'password=hunter2x'}",
        "Parameters: {DbPassword: {Type: String, Default: hunter2x}}\nResources: {}",
    ),
    good=("{Type: String, Default: web}", "Parameters: {DbPassword: {Type: String, NoEcho: true}}\nResources: {}"),
)
def secret_in_default(it: Resource) -> Iterator[Problem]:
    """A default of a template's parameter holds no secret."""
    default = it.get("Default")
    if default.text is None:
        return
    if looks_secret(default.text) or (re.fullmatch(SENSITIVE_NAME, it.logical_id) and looks_like_value(default.text)):
        yield default.problem("looks like a secret", got="***", fix="drop the default, or read it from Secrets Manager")


@template_rule(
    "BinRetention",
    family=Family.FAILS,
    on=(RECYCLE_BIN,),
    why="The Recycle Bin refuses the rule.",
    source="https://docs.aws.amazon.com/recyclebin/latest/APIReference/API_RetentionPeriod.html",
    bad=(
        "{ResourceType: EC2_IMAGE, RetentionPeriod: {RetentionPeriodUnit: DAYS, RetentionPeriodValue: 366}}",
        "{ResourceType: EC2_IMAGE, RetentionPeriod: {RetentionPeriodUnit: DAYS, RetentionPeriodValue: 0}}",
    ),
    good=(
        "{ResourceType: EC2_IMAGE, RetentionPeriod: {RetentionPeriodUnit: DAYS, RetentionPeriodValue: 365}}",
        "{ResourceType: EC2_IMAGE, RetentionPeriod: {RetentionPeriodUnit: DAYS, RetentionPeriodValue: 1}}",
    ),
)
def bin_retention(it: Resource) -> Iterator[Problem]:
    """The Recycle Bin keeps an image for 1 to 365 days."""
    days = it.at("RetentionPeriod.RetentionPeriodValue")
    low, high = _BIN_DAYS
    if days.number is not None and not low <= days.number <= high:
        yield days.problem("is out of range", fix=f"give {low} to {high} days")
