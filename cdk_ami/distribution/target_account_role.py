"""The two roles by which an account receives copies of AMIs, and has them retired."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct

from cdk_ami.checks import names, target_accounts
from cdk_ami.distribution.delivery import Delivery
from cdk_ami.distribution.target_account import (
    DISTRIBUTION_ROLE,
    LIFECYCLE_ROLE,
    WILDCARD_REASON,
    Receiver,
    distribution_trust,
    lifecycle_trust,
)
from cdk_ami.errors import Faults
from cdk_ami.home import account_of, app_of, stack_of
from cdk_ami.wildcards import acknowledge_wildcards

_TAKEN: Final[WeakKeyDictionary[IConstruct, set[str]]] = WeakKeyDictionary()


class TargetAccountRole(Construct):
    """What an account deploys so that another account's builds may copy AMIs into it.

    Image Builder fixes the names of both roles, so an account has them once, for all images and Regions: deploy this in
    one Region.  What they allow follows from the deliveries: copies into the Regions of the distribution, under their
    keys, launch permissions, launch templates and parameters by their real names.  Roles cost nothing.

    The distribution role trusts the account that builds, and of that Image Builder's own role and ``trusted_roles``
    alone.  The key of each Region must let this account in as well, see ``docs/how-to/share-with-accounts.md``.

    https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html

    Example:
        ::

            key = "arn:aws:kms:eu-west-1:210987654321:alias/golden"
            copied = Target(region="eu-west-1", accounts=["123456789012"], kms_key=key)
            TargetAccountRole(
                stack,
                "GoldenImages",
                source_account="210987654321",
                deliveries=Distribution(targets=[copied]).deliveries("web", account="123456789012"),
            )

    Args:
        scope: A stack of the receiving account.
        construct_id: Id of the construct in ``scope``.
        source_account: Account that builds, twelve digits.
        deliveries: What the account receives, of every image: see ``Distribution.deliveries``.
        trusted_roles: ARNs of further roles of ``source_account`` that may act here: the execution role of an image
            that has one, a role that promotes.  Default: Image Builder's service-linked role alone.
        retire: Whether the account that builds may deprecate, disable and delete the copies.  Default: True.

    Attributes:
        distribution_role: The role that builds take.
        lifecycle_role: The role that Image Builder takes to retire copies, None with ``retire=False``.

    Raises:
        ConfigError: When AWS would refuse something, with all that is wrong.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        source_account: str,
        deliveries: Sequence[Delivery],
        trusted_roles: Sequence[str] = (),
        retire: bool = True,
    ) -> None:
        stack = stack_of(scope)
        account = account_of(stack)
        given, roles = tuple(deliveries), tuple(trusted_roles)
        taken = _TAKEN.setdefault(app_of(stack), set())

        faults = Faults(scope, construct_id)
        faults.check("source_account", names.account_id(source_account))
        faults.check("source_account", target_accounts.source_elsewhere(source_account, account))
        for index, role in enumerate(roles):
            faults.check(f"trusted_roles[{index}]", target_accounts.trusted_role(role, source_account))
        for index, delivery in enumerate(given):
            delivery.find_faults(faults, prop=f"deliveries[{index}]")
        faults.check("deliveries", target_accounts.deliveries_present([one.image for one in given]))
        faults.check("deliveries", names.one_partition([one.region for one in given]))
        faults.check("deliveries", target_accounts.roles_once(account, sorted(taken)))
        if not faults:
            receiver = Receiver(account=account, deliveries=given)
            document = receiver.distribution_document()
            faults.check("deliveries", target_accounts.policy_size(len(json.dumps(document, separators=(",", ":")))))
        faults.raise_if_any()

        super().__init__(scope, construct_id)
        taken.add(account)
        partition = receiver.partition
        self.distribution_role = self._role(
            "DistributionRole",
            name=DISTRIBUTION_ROLE,
            description=f"Lets builds of {source_account} copy {', '.join(receiver.images)} into this account",
            trust=distribution_trust(source_account, partition=partition, roles=roles),
            document=document,
        )
        self.lifecycle_role: iam.CfnRole | None = None
        if retire:
            self.lifecycle_role = self._role(
                "LifecycleRole",
                name=LIFECYCLE_ROLE,
                description=f"Lets {source_account} retire the copies of {', '.join(receiver.images)}",
                trust=lifecycle_trust(source_account, partition=partition),
                document=receiver.lifecycle_document(),
            )

    def _role(
        self, construct_id: str, *, name: str, description: str, trust: Mapping[str, Any], document: Mapping[str, Any]
    ) -> iam.CfnRole:
        role = iam.CfnRole(
            self,
            construct_id,
            role_name=name,
            description=description[:_DESCRIPTION_MAX],
            assume_role_policy_document=trust,
            policies=[iam.CfnRole.PolicyProperty(policy_name="Images", policy_document=document)],
        )
        acknowledge_wildcards(role, document, reason=WILDCARD_REASON)
        return role


_DESCRIPTION_MAX: Final = 1_000
"""Longest description of a role.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html, read 2026-11-28"""
