"""Renders when an image is built: the pipeline, and the build within a deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from aws_cdk import RemovalPolicy
from aws_cdk import aws_imagebuilder as imagebuilder

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_logs as logs
    from constructs import Construct, IDependable

    from cdk_ami.build.schedule import BuildSchedule


class Orders(NamedTuple):
    """How a pipeline builds, everything decided.

    Attributes:
        recipe_arn: The recipe.
        infrastructure_arn: The infrastructure configuration.
        distribution_arn: The distribution configuration.
        clock: When it builds by itself, None for never.
        fingerprint: What changes when a build is due though the recipe stays, None without builds in deployments.
        image_tags: Tags of the image resources.
        run_tests: Whether a test instance proves each build before it is distributed.
        enhanced_metadata: Whether a build reports its operating system and packages.
        scan: Whether Inspector looks at the test instance.
    """

    recipe_arn: str
    infrastructure_arn: str
    distribution_arn: str
    clock: BuildSchedule | None
    fingerprint: str | None
    image_tags: Mapping[str, str]
    run_tests: bool
    enhanced_metadata: bool
    scan: bool


def render_pipeline(
    scope: Construct, *, name: str, orders: Orders, log_group: logs.CfnLogGroup, execution_role: iam.IRole | None
) -> imagebuilder.CfnImagePipeline:
    """Add the pipeline of the image ``name`` to ``scope``.

    Its name is its only create-only property, and it is the image's: a pipeline is replaced only by one of another
    name.
    """
    shape = imagebuilder.CfnImagePipeline
    group_name = log_group.ref
    rebuilt = f"; rebuilt when this changes: {orders.fingerprint}" if orders.fingerprint else ""
    return shape(
        scope,
        "Pipeline",
        name=name,
        description=f"Builds {name}{rebuilt}",
        image_recipe_arn=orders.recipe_arn,
        infrastructure_configuration_arn=orders.infrastructure_arn,
        distribution_configuration_arn=orders.distribution_arn,
        enhanced_image_metadata_enabled=orders.enhanced_metadata,
        execution_role=execution_role.role_arn if execution_role else None,
        image_scanning_configuration=shape.ImageScanningConfigurationProperty(image_scanning_enabled=True)
        if orders.scan
        else None,
        image_tags=dict(orders.image_tags),
        image_tests_configuration=shape.ImageTestsConfigurationProperty(image_tests_enabled=orders.run_tests),
        logging_configuration=shape.PipelineLoggingConfigurationProperty(
            image_log_group_name=group_name, pipeline_log_group_name=group_name
        ),
        schedule=_schedule(orders.clock),
    )


def render_build(
    scope: Construct,
    *,
    pipeline: imagebuilder.CfnImagePipeline,
    image_tags: Mapping[str, str],
    needs: Sequence[IDependable],
) -> imagebuilder.CfnImage:
    """Add the build within a deployment to ``scope``.

    A later build replaces this resource, and a deletion would take the AMI that still runs: so it is retained either
    way.
    """
    build = imagebuilder.CfnImage(
        scope,
        "Image",
        image_pipeline_execution_settings=imagebuilder.CfnImage.ImagePipelineExecutionSettingsProperty(
            deployment_id=pipeline.attr_deployment_id, on_update=True
        ),
        tags=dict(image_tags),
    )
    build.apply_removal_policy(RemovalPolicy.RETAIN)
    if needs:
        build.node.add_dependency(*needs)
    return build


def _schedule(clock: BuildSchedule | None) -> imagebuilder.CfnImagePipeline.ScheduleProperty | None:
    if clock is None:
        return None
    shape = imagebuilder.CfnImagePipeline
    return shape.ScheduleProperty(
        schedule_expression=clock.expression,
        timezone=clock.time_zone,
        pipeline_execution_start_condition=clock.start_condition.value,
        auto_disable_policy=shape.AutoDisablePolicyProperty(failure_count=clock.disable_after_failures),
    )
