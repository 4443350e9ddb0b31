"""How a producer hears of new AMIs: one rule for each kind of source."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam

from cdk_ami.errors import Faults

if TYPE_CHECKING:
    from cdk_ami.distribution.producer import ImageProducer


class Kind(StrEnum):
    """What makes AMIs, by the attribute that tells it: what the CDK imports has no class of its own in Python."""

    BUCKET = "bucket_arn"
    IMAGE = "pipeline_arn"
    PARAMETER = "parameter_arn"
    PROJECT = "project_arn"
    RULE = "rule_arn"


_ARGUMENTS: Final = (("ami_path", Kind.RULE, "a rule"), ("key_prefix", Kind.BUCKET, "a bucket"))


def attach(
    producer: ImageProducer, construct_id: str, source: Any, *, ami_path: str | None, key_prefix: str | None
) -> events.Rule:
    """Return the rule that starts ``producer`` when ``source`` has made something.

    Raises:
        ConfigError: When the source and the arguments do not go together.
    """
    kind = next((one for one in Kind if hasattr(source, one.value)), None)
    given = {"ami_path": ami_path, "key_prefix": key_prefix}
    faults = Faults(producer)
    if kind is None:
        fix = "give a CodeBuild project, a GoldenImage, a bucket, an SSM parameter or an EventBridge rule"
        faults.add("source", "makes no AMIs that can be heard of", got=type(source).__name__, fix=fix)
    for name, belongs, noun in _ARGUMENTS:
        if given[name] is not None and kind is not belongs:
            faults.add(name, f"is for {noun} only", got=given[name], fix="drop it")
    if kind is Kind.RULE and not (ami_path or "").startswith("$."):
        fix = "say where its events hold the AMI id, such as '$.detail.ImageId'"
        faults.add("ami_path", "is no path into an event of the rule", got=ami_path, fix=fix)
    faults.raise_if_any()

    if kind is Kind.RULE:
        rule: events.Rule = source
        rule.add_target(_start(producer, {"source": events.EventField.from_path(str(ami_path))}))
        return rule
    if kind is Kind.IMAGE:
        ended = _start(producer, {"source": events.EventField.from_path("$.resources[0]")})
        built: events.Rule = source.on_build_succeeded(f"To{producer.node.id}", target=ended)
        return built
    if kind is Kind.PROJECT:
        return _from_project(producer, construct_id, source)
    if kind is Kind.BUCKET:
        return _from_bucket(producer, construct_id, source, key_prefix)
    return _from_parameter(producer, construct_id, source)


def _from_project(producer: ImageProducer, construct_id: str, project: Any) -> events.Rule:
    _let(producer, "codebuild:BatchGetBuilds", project.project_arn)
    built = events.EventPattern(
        source=["aws.codebuild"],
        detail_type=["CodeBuild Build State Change"],
        detail={"project-name": [project.project_name], "build-status": ["SUCCEEDED"]},
    )
    return _rule(producer, construct_id, built, {"build": events.EventField.from_path("$.detail.build-id")})


def _from_bucket(producer: ImageProducer, construct_id: str, bucket: Any, key_prefix: str | None) -> events.Rule:
    bucket.grant_read(producer, f"{key_prefix or ''}*")
    detail: dict[str, Any] = {"bucket": {"name": [bucket.bucket_name]}}
    if key_prefix:
        detail["object"] = {"key": [{"prefix": key_prefix}]}
    made = events.EventPattern(source=["aws.s3"], detail_type=["Object Created"], detail=detail)
    where = {
        "bucket": events.EventField.from_path("$.detail.bucket.name"),
        "key": events.EventField.from_path("$.detail.object.key"),
    }
    return _rule(producer, construct_id, made, where)


def _from_parameter(producer: ImageProducer, construct_id: str, parameter: Any) -> events.Rule:
    _let(producer, "ssm:GetParameter", parameter.parameter_arn)
    changed = events.EventPattern(
        source=["aws.ssm"],
        detail_type=["Parameter Store Change"],
        # A value of aws:ec2:image that is refused after the answer has an event too, with the exception in it.
        detail={
            "name": [parameter.parameter_name],
            "operation": ["Create", "Update"],
            "exception": [{"exists": False}],
        },
    )
    return _rule(producer, construct_id, changed, {"source": f"ssm:{parameter.parameter_name}"})


def _rule(
    producer: ImageProducer, construct_id: str, pattern: events.EventPattern, value: dict[str, str]
) -> events.Rule:
    return events.Rule(
        producer,
        construct_id,
        description=f"Distributes AMIs of {producer.image_name}",
        event_pattern=pattern,
        targets=[_start(producer, value)],
    )


def _start(producer: ImageProducer, value: dict[str, str]) -> targets.SfnStateMachine:
    return targets.SfnStateMachine(producer.state_machine, input=events.RuleTargetInput.from_object(value))


def _let(producer: ImageProducer, action: str, arn: str) -> None:
    iam.Grant.add_to_principal(grantee=producer, actions=[action], resource_arns=[arn])
