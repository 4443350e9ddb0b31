"""`AccountGuard`: what an account settles for all of a Region, each setting by an argument of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from aws_cdk import Annotations, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import custom_resources as custom
from constructs import Construct

from cdk_ami.account.criterion import ImageCriterion
from cdk_ami.account.plan import SettingCall, calls
from cdk_ami.checks import account as rules
from cdk_ami.checks.builds import hop_limit
from cdk_ami.errors import Faults
from cdk_ami.home import belongs_to, region_of, stack_of

ENFORCED: Final = "cdk-ami::AllowedImagesEnforced"


class AccountGuard(Construct):
    """Settings of the account in the Region of its stack.  Nothing is set that no argument asks for.

    They hold for everybody and everything in the account and the Region, so look first: ``cdk-ami audit`` shows what
    each would change, and whom it would hit.  One guard for each account and Region is enough; with two the last one to
    deploy wins.

    CloudFormation has a resource for one of the settings; for the others a function of the CDK's makes one call each,
    with a role that may make these calls, in this Region, and no others.

    **It only ever sets.**  Where an argument is taken away, or the stack deleted, the account stays as it is: nobody
    can tell what was set before, and a stack that goes must not open snapshots to the public.  To take a setting back,
    use the console or the opposite call of EC2.  What others change meanwhile is not set again before an argument
    changes; ``cdk-ami audit`` shows it.

    Where a declarative policy of the organization manages a setting, EC2 refuses the call and the deployment fails.

    Example:
        ::

            AccountGuard(
                stack,
                "Guard",
                block_public_images=True,
                block_public_snapshots="block-all-sharing",
                allowed_images=[ImageCriterion(providers=["amazon", "210987654321"])],
                encrypt_ebs_by_default=True,
                require_imdsv2=True,
            )

    Args:
        scope: The stack, or a construct in it.
        construct_id: Id in ``scope``.
        block_public_images: Refuse to make AMIs public.  Those that are public stay so.  Takes effect within ten
            minutes.  Default: False, as it is set.
            https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-public-access-to-amis.html
        block_public_snapshots: ``block-all-sharing`` hides snapshots that are public too, ``block-new-sharing`` leaves
            those.  Default: as it is set.
            https://docs.aws.amazon.com/ebs/latest/userguide/block-public-access-snapshots.html
        allowed_images: Which AMIs of others may be seen and launched: those that meet one of these criteria, at most
            10.  Default: as it is set.  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-allowed-amis.html
        enforce_allowed_images: Hide what is not allowed, and refuse to launch it, instead of marking it in audit mode.
            Default: False, audit mode, which hits nobody.
        encrypt_ebs_by_default: Encrypt each new volume and each copy of a snapshot.  What exists stays as it is.  The
            account's default key is left as it is: what AWS's own key encrypts can be shared with nobody.
            Default: False, as it is set.  https://docs.aws.amazon.com/ebs/latest/userguide/encryption-by-default.html
        require_imdsv2: Require IMDSv2 of new instances that say nothing themselves and whose AMI says nothing.
            Default: False, as it is set.
            https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-new-instances.html
        imds_hop_limit: Hops of metadata answers to the same instances, 1 to 64; containers need 2.
            Default: as it is set.

    Raises:
        ConfigError: When nothing is set, Allowed AMIs are enforced without criteria, or EC2 would refuse a value.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        block_public_images: bool = False,
        block_public_snapshots: Literal["block-all-sharing", "block-new-sharing"] | None = None,
        allowed_images: Sequence[ImageCriterion] | None = None,
        enforce_allowed_images: bool = False,
        encrypt_ebs_by_default: bool = False,
        require_imdsv2: bool = False,
        imds_hop_limit: int | None = None,
    ) -> None:
        stack = stack_of(scope)
        planned = calls(
            block_public_images=block_public_images,
            allowed_images=allowed_images,
            enforce_allowed_images=enforce_allowed_images,
            encrypt_ebs_by_default=encrypt_ebs_by_default,
            require_imdsv2=require_imdsv2,
            imds_hop_limit=imds_hop_limit,
        )
        faults = Faults(scope, construct_id)
        if block_public_snapshots is not None:
            faults.check("block_public_snapshots", rules.snapshot_block(block_public_snapshots))
        if allowed_images is not None:
            _check_images(faults, allowed_images)
        elif enforce_allowed_images:
            faults.add(
                "enforce_allowed_images",
                "has no criteria to enforce",
                got=True,
                fix="give allowed_images, in audit mode at first",
            )
        if imds_hop_limit is not None:
            faults.check("imds_hop_limit", hop_limit(imds_hop_limit))
        if not faults and not planned and block_public_snapshots is None:
            faults.add("AccountGuard", "sets nothing", got=None, fix="give at least one setting, or drop the guard")
        faults.raise_if_any()

        super().__init__(scope, construct_id)
        belongs_to(self, stack)
        if block_public_snapshots is not None:
            blocked = ec2.CfnSnapshotBlockPublicAccess(self, "PublicSnapshots", state=block_public_snapshots)
            blocked.apply_removal_policy(RemovalPolicy.RETAIN)
        if planned:
            self._make(planned, region_of(stack))
        if enforce_allowed_images:
            Annotations.of(self).add_warning_v2(
                ENFORCED,
                "enforce_allowed_images hides all AMIs of others that meet no criterion from everybody in the account"
                " and Region, and refuses to launch them, in groups and builds too: deploy audit mode, see what cdk-ami"
                " audit lists, then acknowledge this",
            )

    def _make(self, planned: Sequence[SettingCall], region: str) -> None:
        log_group = logs.LogGroup(
            self, "Log", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        made: dict[str, custom.AwsCustomResource] = {}
        for one in planned:
            call = custom.AwsSdkCall(
                service="EC2",
                action=f"{one.operation[0].lower()}{one.operation[1:]}",
                parameters=one.parameters,
                physical_resource_id=custom.PhysicalResourceId.of(one.operation),
            )
            made[one.child] = custom.AwsCustomResource(
                self,
                one.child,
                resource_type="Custom::AccountSetting",
                on_create=call,
                on_update=call,
                install_latest_aws_sdk=False,
                log_group=log_group,
                policy=custom.AwsCustomResourcePolicy.from_statements([_permission(one.operation, region)]),
            )
            if one.after:
                made[one.child].node.add_dependency(made[one.after])


def _check_images(faults: Faults, allowed: Sequence[ImageCriterion]) -> None:
    faults.check("allowed_images", rules.criteria_count(len(allowed)))
    for index, one in enumerate(allowed):
        one.check(faults, f"allowed_images[{index}]")
    providers = sum(len(one.providers) for one in allowed)
    faults.check("allowed_images", rules.values_count(providers, sum(len(one.names) for one in allowed)))


def _permission(operation: str, region: str) -> iam.PolicyStatement:
    """Allow one call in one Region: these settings are no resources that a statement could name."""
    return iam.PolicyStatement(
        actions=[f"ec2:{operation}"],
        resources=["*"],
        conditions={"StringEquals": {"aws:RequestedRegion": region}},
    )
