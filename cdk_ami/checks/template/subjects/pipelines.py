"""Rules over pipelines and images: what starts a build, what it runs, what becomes of its result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cdk_ami.checks import builds, schedules
from cdk_ami.checks.rule import Problem
from cdk_ami.checks.template.places import Resource
from cdk_ami.checks.template.registry import Family, below, bind, template_rule
from cdk_ami.checks.template.types import IMAGE, PIPELINE
from cdk_ami.limits import IMAGE_BUILDER_LOG_PREFIX, LOG_GROUP

_IB: Final = "https://docs.aws.amazon.com/imagebuilder/latest/APIReference/"
_SCHEDULE: Final = f"{_IB}API_Schedule.html"
_WORKFLOWS: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/manage-image-workflows.html"
_SETTINGS: Final = (
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/"
    "aws-properties-imagebuilder-image-imagepipelineexecutionsettings.html"
)
_LINE: Final = "Name: web, ImageRecipeArn: !Ref R, InfrastructureConfigurationArn: !Ref I"
_SOON_MINUTES: Final = 24 * 60
_IMAGE: Final = "Now: {Type: AWS::ImageBuilder::Image%s, Properties: {%s}}"


def _line(more: str) -> str:
    return f"{{{_LINE}, {more}}}"


_GOOD: Final = _line(
    "Schedule: {ScheduleExpression: cron(0 4 ? * sun *), Timezone: Europe/Berlin, "
    "PipelineExecutionStartCondition: EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE}"
)
_UNKNOWN: Final = _line("Schedule: !Ref S, ImageTestsConfiguration: !Ref T, Status: !Ref E, Workflows: !Ref W")

bind(
    schedules.schedule_expression,
    rule="ScheduleExpression",
    family=Family.FAILS,
    where={PIPELINE: ("Schedule.ScheduleExpression",)},
    reads=lambda place: place.text,
    why="The service refuses the pipeline.",
    bad=(
        _line("Schedule: {ScheduleExpression: cron(0 4 * * *)}"),
        _line("Schedule: {ScheduleExpression: cron(0 25 ? * sun *)}"),
        _line("Schedule: {ScheduleExpression: cron(0 4 * * sun *)}"),
        _line("Schedule: {ScheduleExpression: weekly}"),
    ),
    good=(_GOOD, _UNKNOWN),
    module=__name__,
)

bind(
    schedules.time_zone,
    rule="TimeZone",
    family=Family.FAILS,
    where={PIPELINE: ("Schedule.Timezone",)},
    reads=lambda place: place.text,
    why="The service refuses the pipeline.",
    bad=(_line("Schedule: {ScheduleExpression: cron(0 4 ? * sun *), Timezone: UTC+2}"),),
    good=(_GOOD, _UNKNOWN),
    module=__name__,
)

bind(
    schedules.failures_before_disable,
    rule="FailuresBeforeDisable",
    family=Family.FAILS,
    where={PIPELINE: ("Schedule.AutoDisablePolicy.FailureCount",)},
    reads=lambda place: place.number,
    why="The service refuses the pipeline.",
    bad=(
        _line("Schedule: {ScheduleExpression: rate(7 days), AutoDisablePolicy: {FailureCount: 0}}"),
        _line("Schedule: {ScheduleExpression: rate(7 days), AutoDisablePolicy: {FailureCount: 11}}"),
    ),
    good=(_line("Schedule: {ScheduleExpression: cron(0 4 ? * sun *), AutoDisablePolicy: {FailureCount: 10}}"), _GOOD),
    module=__name__,
)


@template_rule(
    "RebuildForNothing",
    family=Family.COSTS,
    on=(PIPELINE,),
    why="Each tick of the schedule builds, tests, copies and stores an image, also when nothing has changed.",
    source=f"{_SCHEDULE}#imagebuilder-Type-Schedule-pipelineExecutionStartCondition",
    bad=(
        _line(
            "Schedule: {ScheduleExpression: cron(0 4 ? * sun *), PipelineExecutionStartCondition: EXPRESSION_MATCH_ONLY}"
        ),
    ),
    good=(_GOOD, _UNKNOWN, _line("Schedule: {ScheduleExpression: cron(0 4 ? * sun *)}")),
)
def rebuild_for_nothing(it: Resource) -> Iterator[Problem]:
    """A schedule builds when something that the image is made of has changed."""
    place = it.at("Schedule.PipelineExecutionStartCondition")
    if place.text == "EXPRESSION_MATCH_ONLY":
        yield place.problem("builds without a change", fix="use EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE")


@template_rule(
    "ScheduleTooOften",
    family=Family.COSTS,
    on=(PIPELINE,),
    why="A build takes half an hour and leaves an AMI in each Region: nobody rolls out one after the other.",
    source=_SCHEDULE,
    bad=(
        _line("Schedule: {ScheduleExpression: rate(1 hour)}"),
        _line("Schedule: {ScheduleExpression: rate(30 minutes)}"),
        _line("Schedule: {ScheduleExpression: cron(0 * * * ? *)}"),
        _line("Schedule: {ScheduleExpression: cron(*/30 4 * * ? *)}"),
        _line("Schedule: {ScheduleExpression: 'cron(0 0/6 * * ? *)'}"),
    ),
    good=(
        _GOOD,
        _UNKNOWN,
        _line("Schedule: {ScheduleExpression: rate(1 day)}"),
        _line("Schedule: {ScheduleExpression: cron(0 4 * * ? *)}"),
        _line("Schedule: {ScheduleExpression: rate(24 hours)}"),
    ),
)
def schedule_too_often(it: Resource) -> Iterator[Problem]:
    """A schedule starts at most one build a day."""
    place = it.at("Schedule.ScheduleExpression")
    rate = re.fullmatch(r"rate\(([0-9]+) (minute|hour|day)s?\)", place.text or "")
    fields = re.fullmatch(r"cron\((\S+) (\S+) .*\)", place.text or "")
    minutes = int(rate[1]) * {"minute": 1, "hour": 60, "day": _SOON_MINUTES}[rate[2]] if rate else _SOON_MINUTES
    if minutes < _SOON_MINUTES or (fields and not (fields[1].isdecimal() and fields[2].isdecimal())):
        yield place.problem("starts several builds a day", fix="build once a day or week, and on change")


@template_rule(
    "PipelineDisabled",
    family=Family.COSTS,
    on=(PIPELINE,),
    why="The schedule never starts a build, and the image grows old unseen.",
    source=f"{_IB}API_CreateImagePipeline.html#imagebuilder-CreateImagePipeline-request-status",
    bad=(_line("Status: DISABLED, Schedule: {ScheduleExpression: cron(0 4 ? * sun *)}"),),
    good=(
        _GOOD,
        _UNKNOWN,
        _line("Status: DISABLED"),
        _line("Status: ENABLED, Schedule: {ScheduleExpression: rate(1 day)}"),
    ),
)
def pipeline_disabled(it: Resource) -> Iterator[Problem]:
    """A pipeline with a schedule is enabled."""
    status = it.get("Status")
    if status.text == "DISABLED" and it.get("Schedule").given:
        yield status.problem("stops the schedule", fix="enable the pipeline, or drop the schedule")


@template_rule(
    "TestsOff",
    family=Family.COSTS,
    on=(PIPELINE, IMAGE),
    why="An image that does not even start is distributed.",
    source=f"{_IB}API_ImageTestsConfiguration.html",
    bad=(
        _line("ImageTestsConfiguration: {ImageTestsEnabled: false}"),
        _IMAGE % ("", "ImageRecipeArn: !Ref R, ImageTestsConfiguration: {ImageTestsEnabled: 'false'}"),
    ),
    good=(_GOOD, _UNKNOWN, _line("ImageTestsConfiguration: {ImageTestsEnabled: true}")),
)
def tests_off(it: Resource) -> Iterator[Problem]:
    """An image is tested before it is distributed."""
    place = it.at("ImageTestsConfiguration.ImageTestsEnabled")
    if place.flag is False:
        yield place.problem(
            "distributes images that nobody has started", fix="leave the tests on: a test instance costs cents"
        )


@template_rule(
    "ScanNeedsTests",
    family=Family.FAILS,
    on=(PIPELINE, IMAGE),
    why="The service refuses it: the scan looks at the test instance.",
    bad=(
        _line(
            "ImageTestsConfiguration: {ImageTestsEnabled: false}, ImageScanningConfiguration: {ImageScanningEnabled: true}"
        ),
    ),
    good=(
        _GOOD,
        _line(
            "ImageTestsConfiguration: {ImageTestsEnabled: true}, ImageScanningConfiguration: {ImageScanningEnabled: true}"
        ),
        _line("ImageScanningConfiguration: {ImageScanningEnabled: true}"),
        _line(
            "ImageTestsConfiguration: {ImageTestsEnabled: false}, ImageScanningConfiguration: {ImageScanningEnabled: false}"
        ),
    ),
)
def scan_needs_tests(it: Resource) -> Iterator[Problem]:
    """The scan looks at the test instance, so there must be one."""
    scan = it.at("ImageScanningConfiguration.ImageScanningEnabled")
    if scan.flag and it.at("ImageTestsConfiguration.ImageTestsEnabled").flag is False:
        yield from below(scan, builds.scan_needs_tests(scan=True, run_tests=False))


@template_rule(
    "MetadataOff",
    family=Family.COSTS,
    on=(PIPELINE, IMAGE),
    why="Nobody can say what packages an image holds, and so which images a hole concerns.",
    source=f"{_IB}API_CreateImagePipeline.html#imagebuilder-CreateImagePipeline-request-enhancedImageMetadataEnabled",
    bad=(_line("EnhancedImageMetadataEnabled: false"),),
    good=(_GOOD, _line("EnhancedImageMetadataEnabled: true"), _line("EnhancedImageMetadataEnabled: !Ref E")),
)
def metadata_off(it: Resource) -> Iterator[Problem]:
    """A build records the system and the packages of its image."""
    place = it.get("EnhancedImageMetadataEnabled")
    if place.flag is False:
        yield place.problem("records no packages", fix="leave it on: it costs nothing")


@template_rule(
    "OneRecipe",
    family=Family.FAILS,
    on=(PIPELINE, IMAGE),
    why="The service takes exactly one recipe.",
    source=f"{_IB}API_CreateImagePipeline.html",
    bad=(
        "{Name: web, InfrastructureConfigurationArn: !Ref I}",
        _line("ContainerRecipeArn: !Ref C"),
        _IMAGE % ("", "InfrastructureConfigurationArn: !Ref I"),
        _IMAGE % ("", "ImageRecipeArn: !Ref R"),
    ),
    good=(
        _GOOD,
        "{Name: web, ContainerRecipeArn: !Ref C, InfrastructureConfigurationArn: !Ref I}",
        "{Name: web, ContainerRecipeArn: !If [A, !Ref C, !Ref AWS::NoValue], "
        "ImageRecipeArn: !If [A, !Ref AWS::NoValue, !Ref R], InfrastructureConfigurationArn: !Ref I}",
        _IMAGE % ("", "ImageRecipeArn: !Ref R, InfrastructureConfigurationArn: !Ref I"),
        "Web: {Type: AWS::ImageBuilder::Image, Properties: !Ref Elsewhere}",
    ),
)
def one_recipe(it: Resource) -> Iterator[Problem]:
    """A build has one recipe, of an AMI or of a container, and a build environment."""
    image, container = it.get("ImageRecipeArn"), it.get("ContainerRecipeArn")
    if it.type == IMAGE and not it.get("ImagePipelineExecutionSettings").absent:
        return
    if image.absent and container.absent:
        yield image.problem("is missing, and ContainerRecipeArn is too", fix="name the recipe")
    elif image.given and container.given:
        yield container.problem("is given beside ImageRecipeArn", got=None, fix="keep one of the two")
    elif it.type == IMAGE and it.get("InfrastructureConfigurationArn").absent:
        yield it.get("InfrastructureConfigurationArn").problem("is missing", fix="name the build environment")


@template_rule(
    "PipelineSettings",
    family=Family.FAILS,
    on=(IMAGE,),
    why="The service takes the pipeline's settings, or the image's own, not both.",
    source=_SETTINGS,
    bad=(
        _IMAGE
        % (
            "",
            "ImagePipelineExecutionSettings: {DeploymentId: !GetAtt L.DeploymentId, OnUpdate: true}, ImageRecipeArn: !Ref R",
        ),
        _IMAGE
        % (
            "",
            "ImagePipelineExecutionSettings: {DeploymentId: !GetAtt L.DeploymentId, OnUpdate: true}, ImageTestsConfiguration: {}, InfrastructureConfigurationArn: !Ref I",
        ),
    ),
    good=(
        _IMAGE
        % ("", "ImagePipelineExecutionSettings: {DeploymentId: !GetAtt L.DeploymentId, OnUpdate: true}, Tags: {A: b}"),
        _IMAGE % ("", "ImageRecipeArn: !Ref R, InfrastructureConfigurationArn: !Ref I"),
    ),
)
def pipeline_settings(it: Resource) -> Iterator[Problem]:
    """An image that a pipeline builds takes all its settings from the pipeline."""
    if it.get("ImagePipelineExecutionSettings").given:
        for key in (
            "ImageRecipeArn",
            "ContainerRecipeArn",
            "InfrastructureConfigurationArn",
            "DistributionConfigurationArn",
        ):
            if it.get(key).given:
                yield it.get(key).problem("is given beside ImagePipelineExecutionSettings", got=None, fix="drop it")


@template_rule(
    "BuildOnChange",
    family=Family.DRIFTS,
    on=(IMAGE,),
    why="The image is built once, and no change of recipe or component ever builds it again.",
    source=_SETTINGS,
    bad=(
        _IMAGE % ("", "ImagePipelineExecutionSettings: {DeploymentId: !GetAtt L.DeploymentId}"),
        _IMAGE % ("", "ImagePipelineExecutionSettings: {DeploymentId: !GetAtt L.DeploymentId, OnUpdate: false}"),
        _IMAGE % ("", "ImagePipelineExecutionSettings: {DeploymentId: '1', OnUpdate: true}"),
    ),
    good=(
        _IMAGE % ("", "ImagePipelineExecutionSettings: {DeploymentId: !GetAtt L.DeploymentId, OnUpdate: true}"),
        _IMAGE % ("", "ImagePipelineExecutionSettings: !Ref Settings"),
        _IMAGE % ("", "ImageRecipeArn: !Ref R, InfrastructureConfigurationArn: !Ref I"),
    ),
)
def build_on_change(it: Resource) -> Iterator[Problem]:
    """An image that a pipeline builds in a deployment is built again when the pipeline changes."""
    settings = it.get("ImagePipelineExecutionSettings")
    update, deployment = settings.get("OnUpdate"), settings.get("DeploymentId")
    if not settings.absent and (update.absent or update.flag is False):
        yield update.problem("is not set, so that no change builds again", fix="set OnUpdate: true")
    elif deployment.text is not None:
        yield deployment.problem("never changes", fix="write !GetAtt PIPELINE.DeploymentId")


_ON_CHANGE: Final = "ImagePipelineExecutionSettings: {DeploymentId: !GetAtt L.DeploymentId, OnUpdate: true}"


@template_rule(
    "ImageReplaced",
    family=Family.LEAKS,
    on=(IMAGE,),
    why="A rebuild replaces the resource: the AMI that still runs goes with it, or is left without anything that names it.",
    source="https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-imagebuilder-image-deletionsettings.html",
    bad=(
        _IMAGE
        % ("", "ImageRecipeArn: !Ref R, InfrastructureConfigurationArn: !Ref I, DeletionSettings: {ExecutionRole: r}"),
        _IMAGE % (", DeletionPolicy: Retain", "ImageRecipeArn: !Ref R, DeletionSettings: {ExecutionRole: r}"),
        _IMAGE % ("", f"{_ON_CHANGE}, DeletionSettings: {{ExecutionRole: r}}"),
        _IMAGE % (", DeletionPolicy: Retain", _ON_CHANGE),
    ),
    good=(
        _IMAGE % (", UpdateReplacePolicy: Retain", "ImageRecipeArn: !Ref R, DeletionSettings: {ExecutionRole: r}"),
        _IMAGE % (", UpdateReplacePolicy: Retain", _ON_CHANGE),
        _IMAGE % ("", "ImageRecipeArn: !Ref R, InfrastructureConfigurationArn: !Ref I"),
    ),
)
def image_replaced(it: Resource) -> Iterator[Problem]:
    """An image that is built on change, or whose deletion takes its AMI along, stays when it is replaced."""
    for key in ("DeletionSettings", "ImagePipelineExecutionSettings"):
        if it.get(key).given and not it.retained[1]:
            told = "is given for an image that a rebuild removes"
            yield it.get(key).problem(told, got=None, fix="set UpdateReplacePolicy: Retain")
            return


@template_rule(
    "WorkflowsNeedRole",
    family=Family.FAILS,
    on=(PIPELINE, IMAGE),
    why="The service refuses workflows without a role that runs them.",
    source=_WORKFLOWS,
    bad=(_line("Workflows: [{WorkflowArn: !Ref W}]"),),
    good=(_GOOD, _UNKNOWN, _line("Workflows: [{WorkflowArn: !Ref W}], ExecutionRole: build")),
)
def workflows_need_role(it: Resource) -> Iterator[Problem]:
    """Workflows of one's own run with a role of one's own."""
    if it.get("Workflows").items() and it.get("ExecutionRole").absent:
        yield it.get("ExecutionRole").problem("is missing beside Workflows", fix="name the role that runs them")


def _workflow(kind: str) -> str:
    return f"{{WorkflowArn: 'arn:aws:imagebuilder:us-east-1:aws:workflow/{kind}/{kind}-image/x.x.x'}}"


@template_rule(
    "WorkflowsWithoutTests",
    family=Family.COSTS,
    on=(PIPELINE, IMAGE),
    why="Workflows that are given replace the default ones: without one of the kind test, no test runs.",
    source=_WORKFLOWS,
    bad=(_line(f"ExecutionRole: build, Workflows: [{_workflow('build')}, {_workflow('distribution')}]"),),
    good=(
        _GOOD,
        _line(f"ExecutionRole: build, Workflows: [{_workflow('build')}, {_workflow('test')}]"),
        _line(f"ExecutionRole: build, Workflows: [{_workflow('build')}, {{WorkflowArn: !Ref Own}}]"),
        _line(
            f"ExecutionRole: build, Workflows: [{_workflow('build')}], ImageTestsConfiguration: {{ImageTestsEnabled: false}}"
        ),
    ),
)
def workflows_without_tests(it: Resource) -> Iterator[Problem]:
    """A list of workflows holds one that tests the image."""
    workflows = it.get("Workflows")
    arns = [place.get("WorkflowArn").partial for place in workflows.items()]
    tested = any("/test/" in arn or ":workflow/" not in arn for arn in arns)
    if arns and not tested and it.at("ImageTestsConfiguration.ImageTestsEnabled").flag is not False:
        yield workflows.problem(
            "replace the default ones and test nothing", got=None, fix="add the workflow that tests"
        )


@template_rule(
    "WorkflowOnFailure",
    family=Family.FAILS,
    on=(PIPELINE, IMAGE),
    why="The service takes OnFailure for workflows of the kind test only.",
    source=f"{_IB}API_WorkflowConfiguration.html",
    bad=(
        _line(
            "ExecutionRole: build, Workflows: [{OnFailure: CONTINUE, "
            "WorkflowArn: 'arn:aws:imagebuilder:us-east-1:aws:workflow/build/build-image/x.x.x'}]"
        ),
    ),
    good=(
        _line(
            "ExecutionRole: build, Workflows: [{OnFailure: CONTINUE, "
            "WorkflowArn: 'arn:aws:imagebuilder:us-east-1:aws:workflow/test/test-image/x.x.x'}]"
        ),
        _UNKNOWN,
    ),
)
def workflow_on_failure(it: Resource) -> Iterator[Problem]:
    """Only a workflow that tests may go on after a failure."""
    for entry in it.get("Workflows").items():
        found = re.search(r":workflow/(build|distribution)/", entry.get("WorkflowArn").partial)
        if found and entry.get("OnFailure").given:
            yield entry.get("OnFailure").problem(f"is given for a workflow of the kind {found[1]}", fix="drop it")


@template_rule(
    "LogGroupOutsidePrefix",
    family=Family.FAILS,
    on=(PIPELINE, IMAGE),
    why="The service's own role writes under /aws/imagebuilder/ only: it refuses the log group.",
    source=f"{_IB}API_PipelineLoggingConfiguration.html",
    bad=(
        _line("LoggingConfiguration: {ImageLogGroupName: /golden/web}"),
        _line("LoggingConfiguration: {PipelineLogGroupName: web}"),
        _line("ExecutionRole: build, LoggingConfiguration: {ImageLogGroupName: 'golden web'}"),
        _IMAGE % ("", "ImageRecipeArn: !Ref R, LoggingConfiguration: {LogGroupName: web}"),
    ),
    good=(
        _line("LoggingConfiguration: {ImageLogGroupName: /aws/imagebuilder/web}"),
        _line("ExecutionRole: build, LoggingConfiguration: {ImageLogGroupName: /golden/web}"),
        _line("LoggingConfiguration: {ImageLogGroupName: !Ref Logs}"),
        _GOOD,
    ),
)
def log_group_outside_prefix(it: Resource) -> Iterator[Problem]:
    """A build logs under /aws/imagebuilder/, or has a role that may log elsewhere."""
    for key in ("ImageLogGroupName", "PipelineLogGroupName", "LogGroupName"):
        place = it.at(f"LoggingConfiguration.{key}")
        if place.text is None:
            continue
        if not re.fullmatch(LOG_GROUP, place.text):
            yield place.problem("is no name of a log group", fix="use letters, digits and -_/. only")
        elif it.get("ExecutionRole").absent and not place.text.startswith(IMAGE_BUILDER_LOG_PREFIX):
            fix = f"move it under {IMAGE_BUILDER_LOG_PREFIX}, or give an ExecutionRole"
            yield place.problem("is a log group that the service may not write", fix=fix)
