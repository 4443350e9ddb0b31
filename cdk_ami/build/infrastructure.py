"""Renders where an image is built: role, network, logs and the infrastructure configuration over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_imagebuilder as imagebuilder
from aws_cdk import aws_logs as logs
from constructs import Construct, IDependable

from cdk_ami.build.permissions import WILDCARD_REASON, BuildPermissions
from cdk_ami.naming import log_group
from cdk_ami.policies import INSTANCES
from cdk_ami.wildcards import acknowledge_wildcards

if TYPE_CHECKING:
    from aws_cdk import aws_sns as sns

    from cdk_ami.build.environment import BuildEnvironment
    from cdk_ami.build.events import ImageArns
    from cdk_ami.source.platform import Architecture

_OPEN_PORTS: Final = (443, 80)
_SERVICE_ROLE: Final = "aws-service-role/imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder"


class Reads(NamedTuple):
    """What a build reads beside the service's own.

    Attributes:
        component_arns: The components, versions as wildcards where they are not known.
        object_arns: Objects in buckets: the assets of the components.
        inventory: Whether the build reports its packages.
    """

    component_arns: Sequence[str]
    object_arns: Sequence[str]
    inventory: bool


class Infrastructure(NamedTuple):
    """What was rendered.

    Attributes:
        configuration: The infrastructure configuration.
        role: Role of the build instance.
        log_group: Log group of builds and pipeline.
        security_group: The image's own security group, None in the default VPC and where others were given.
        needs: What a build needs and the configuration does not name, such as routes.
    """

    configuration: imagebuilder.CfnInfrastructureConfiguration
    role: iam.CfnRole
    log_group: logs.CfnLogGroup
    security_group: ec2.CfnSecurityGroup | None
    needs: tuple[IDependable, ...]


def render_infrastructure(
    scope: Construct,
    *,
    arns: ImageArns,
    environment: BuildEnvironment,
    subnet: ec2.ISubnet | None,
    architecture: Architecture,
    reads: Reads,
    topic: sns.ITopic | None,
    resource_tags: Mapping[str, str],
) -> Infrastructure:
    """Add to ``scope`` all that the builds of the image of ``arns`` run in."""
    name = arns.name
    group = _log_group(scope, name, environment)
    role = _role(scope, arns, environment, reads, group)
    profile = iam.CfnInstanceProfile(scope, "InstanceProfile", roles=[role.ref])
    own_group = _security_group(scope, name, environment)
    group_ids = [own_group.attr_group_id] if own_group else []
    group_ids += [given.security_group_id for given in environment.security_groups]
    bucket = environment.log_bucket
    shape = imagebuilder.CfnInfrastructureConfiguration
    configuration = shape(
        scope,
        "Infrastructure",
        name=name,
        description=f"Where {name} is built",
        instance_profile_name=profile.ref,
        instance_types=list(environment.types_for(architecture)),
        instance_metadata_options=shape.InstanceMetadataOptionsProperty(
            http_tokens="required", http_put_response_hop_limit=environment.hop_limit
        ),
        logging=shape.LoggingProperty(
            s3_logs=shape.S3LogsProperty(
                s3_bucket_name=bucket.bucket_name, s3_key_prefix=environment.log_prefix or name
            )
        )
        if bucket
        else None,
        resource_tags=dict(resource_tags) or None,
        security_group_ids=group_ids or None,
        sns_topic_arn=topic.topic_arn if topic else None,
        subnet_id=subnet.subnet_id if subnet else None,
        terminate_instance_on_failure=environment.terminate_on_failure,
    )
    if topic:
        _let_service_use_key(topic, arns)
    needs: list[IDependable] = [*environment.security_groups, *environment.requires]
    if subnet:
        # The way out of the subnet begins with a route, which waits for its gateway.
        needs.append(subnet.internet_connectivity_established)
    return Infrastructure(
        configuration=configuration,
        role=role,
        log_group=group,
        security_group=own_group,
        needs=tuple(needs),
    )


def _log_group(scope: Construct, name: str, environment: BuildEnvironment) -> logs.CfnLogGroup:
    # The service makes a missing group by itself and would keep events for ever; one that is left behind stops the next
    # deployment under the same name.
    group = logs.CfnLogGroup(
        scope, "LogGroup", log_group_name=log_group(name), retention_in_days=environment.log_retention_days
    )
    if environment.retain_logs:
        group.apply_removal_policy(RemovalPolicy.RETAIN)
    return group


def _role(
    scope: Construct, arns: ImageArns, environment: BuildEnvironment, reads: Reads, group: logs.CfnLogGroup
) -> iam.CfnRole:
    bucket = environment.log_bucket
    key = bucket.encryption_key if bucket else None
    permissions = BuildPermissions(
        partition=arns.partition,
        region=arns.region,
        log_group_arn=group.attr_arn,
        component_arns=reads.component_arns,
        object_arns=reads.object_arns,
        log_objects_arn=bucket.arn_for_objects(f"{environment.log_prefix or arns.name}/*") if bucket else None,
        log_key_arn=key.key_arn if key else None,
        inventory=reads.inventory,
    )
    document = permissions.document()
    role = iam.CfnRole(
        scope,
        "Role",
        description=f"What a build of {arns.name} may do",
        assume_role_policy_document=INSTANCES,
        policies=[iam.CfnRole.PolicyProperty(policy_name="Build", policy_document=document)],
    )
    acknowledge_wildcards(role, document, reason=WILDCARD_REASON)
    return role


def _security_group(scope: Construct, name: str, environment: BuildEnvironment) -> ec2.CfnSecurityGroup | None:
    if environment.vpc is None or environment.security_groups:
        return None
    shape = ec2.CfnSecurityGroup
    everywhere, why = "0.0.0.0/0", "AWS and package repositories"
    if environment.all_outbound:
        egress = [shape.EgressProperty(cidr_ip=everywhere, ip_protocol="-1", description="Everything")]
    else:
        egress = [
            shape.EgressProperty(cidr_ip=everywhere, ip_protocol="tcp", from_port=port, to_port=port, description=why)
            for port in _OPEN_PORTS
        ]
    return shape(
        scope,
        "SecurityGroup",
        vpc_id=environment.vpc.vpc_id,
        group_description=f"Builds of {name}: nothing in",
        security_group_egress=egress,
    )


def _let_service_use_key(topic: sns.ITopic, arns: ImageArns) -> None:
    """Let the service-linked role publish to an encrypted topic.

    A key policy cannot name a role that does not exist yet, and the service makes its role with the first build: so the
    statement names every principal and admits one by its ARN.
    https://docs.aws.amazon.com/imagebuilder/latest/userguide/integ-sns.html
    """
    if topic.master_key is None:
        return
    service_role = f"arn:{arns.partition}:iam::{arns.account}:role/{_SERVICE_ROLE}"
    topic.master_key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="ImageBuilderNotifies",
            principals=[iam.AnyPrincipal()],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],
            conditions={"StringEquals": {"aws:PrincipalArn": service_role, "kms:CallerAccount": arns.account}},
        )
    )
