"""Where an image is built: machine, network, logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cdk_ami.checks import builds, instances, names
from cdk_ami.source.platform import Architecture

if TYPE_CHECKING:
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_s3 as s3
    from constructs import IDependable

    from cdk_ami.errors import Faults

DEFAULT_INSTANCE_TYPES: Final[dict[Architecture, tuple[str, ...]]] = {
    Architecture.X86_64: ("m6i.large", "m5.large", "t3.large"),
    Architecture.ARM64: ("m7g.large", "m6g.large", "t4g.large"),
}
"""What a build runs on when nobody says: 2 processors and 8 GiB, of families that nearly every zone has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildEnvironment:
    """Where an image is built.

    The build instance always gets a role of its own with what a build needs and nothing else, must use IMDSv2, and
    takes no incoming connection; people reach it through Session Manager, not through SSH.

    https://docs.aws.amazon.com/imagebuilder/latest/userguide/manage-infra-config.html

    Attributes:
        instance_types: Types such as ``m6i.large``, of the image's architecture; the service takes one that is to be
            had. Default: three of 2 processors and 8 GiB, about 0.1 USD for each hour of building.
        vpc: The network to build in.  Default: the Region's default VPC, nothing of which is rendered.
        subnet: The subnet of ``vpc`` to build in; it must reach AWS, by a route or by endpoints.
            Default: the first private subnet with a way out, else the first public one.
        security_groups: Security groups of ``vpc``.  Default: one of the image's own, with nothing coming in and the
            ports 80 and 443 going out; open more through ``image.connections``.
        all_outbound: Whether the image's own security group lets everything out.  Default: 80 and 443 only.
        hop_limit: Hops of a metadata answer, 1 to 64.  Default: 2, so that containers in the build reach it.
        log_bucket: Bucket for the logs of component runs.  Default: none, the log group has them as well.
        log_prefix: Prefix of the objects in ``log_bucket``, no slash at the ends.  Default: the image's name.
        log_retention_days: Days that the log group ``/aws/imagebuilder/IMAGE`` keeps events, of the numbers CloudWatch
            Logs offers; None keeps them for ever, at about 0.03 USD a month for each GB.  Default: 90.
        retain_logs: Whether the log group outlives the stack.  Default: no, because a group that stays makes the next
            deployment under the same name fail.
        resource_tags: Tags of the build and test instances, their volumes and what else the service makes for a build,
            at most 30.  Keys that the service writes itself are refused.  Default: none.
        terminate_on_failure: Whether a failed build ends its instance.  False keeps it, billed, for someone to look at.
            Default: True.
        requires: What else must exist before a build within a deployment starts, such as VPC endpoints of an isolated
            subnet.  The rest is known: role, profile, logs, key, the subnet's routes.  Default: nothing.
    """

    instance_types: Sequence[str | ec2.InstanceType] | None = None
    vpc: ec2.IVpc | None = None
    subnet: ec2.ISubnet | None = None
    security_groups: Sequence[ec2.ISecurityGroup] = ()
    all_outbound: bool = False
    hop_limit: int = 2
    log_bucket: s3.IBucket | None = None
    log_prefix: str | None = None
    log_retention_days: int | None = 90
    retain_logs: bool = False
    resource_tags: Mapping[str, str] = field(default_factory=dict)
    terminate_on_failure: bool = True
    requires: Sequence[IDependable] = ()

    def __post_init__(self) -> None:
        for name in ("instance_types", "security_groups", "requires"):
            object.__setattr__(self, name, tuple(getattr(self, name) or ()))
        object.__setattr__(self, "resource_tags", dict(self.resource_tags))

    def types_for(self, architecture: Architecture) -> tuple[str, ...]:
        """Return the names of the instance types of a build for ``architecture``."""
        if not self.instance_types:
            return DEFAULT_INSTANCE_TYPES[architecture]
        return tuple(item if isinstance(item, str) else item.to_string() for item in self.instance_types)

    def chosen_subnet(self) -> ec2.ISubnet | None:
        """Return the subnet to build in: the given one, else the first with a way out; None when there is none."""
        if self.subnet is not None or self.vpc is None:
            return self.subnet
        return next(iter(self.vpc.private_subnets or self.vpc.public_subnets), None)

    def find_faults(self, faults: Faults, *, prop: str, architecture: Architecture, subnet: ec2.ISubnet | None) -> None:
        """Record in ``faults`` what AWS would refuse, as faults of ``prop``; ``subnet`` is the chosen one."""
        for index, name in enumerate(self.types_for(architecture)):
            at = f"{prop}.instance_types[{index}]"
            faults.check(at, instances.instance_type(name))
            faults.check(at, instances.no_mac(name))
            faults.check(at, instances.instance_architecture(name, architecture))
        has_vpc = self.vpc is not None
        faults.check(f"{prop}.subnet", builds.subnet_with_vpc(has_vpc=has_vpc, has_subnet=self.subnet is not None))
        faults.check(f"{prop}.subnet", builds.subnet_found(has_vpc=has_vpc, has_subnet=subnet is not None))
        faults.check(
            f"{prop}.security_groups",
            builds.security_groups_with_vpc(has_vpc=has_vpc, count=len(self.security_groups)),
        )
        faults.check(f"{prop}.hop_limit", builds.hop_limit(self.hop_limit))
        if self.log_prefix is not None:
            faults.check(f"{prop}.log_prefix", builds.log_prefix(self.log_prefix))
        if self.log_retention_days is not None:
            faults.check(f"{prop}.log_retention_days", builds.log_retention(self.log_retention_days))
        faults.check(f"{prop}.resource_tags", names.resource_tags(self.resource_tags))
