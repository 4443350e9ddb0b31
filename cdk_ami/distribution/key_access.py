"""Opens the keys of a distribution to whoever it names, or says what their policies must hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct

from cdk_ami.distribution.keys import KeyUse, key_uses
from cdk_ami.home import account_of, app_of, partition_of, region_of
from cdk_ami.naming import pascal

if TYPE_CHECKING:
    from aws_cdk.interfaces.aws_kms import IKeyRef

    from cdk_ami.distribution.distribution import Distribution

# By app: the alias ARNs of keys whose whole policy this library writes.
_WRITTEN: Final[WeakKeyDictionary[IConstruct, set[str]]] = WeakKeyDictionary()


def written_here(app: IConstruct, alias_arn: str) -> None:
    """Note that the app makes the key of ``alias_arn``, with the policy that its image needs."""
    _WRITTEN.setdefault(app, set()).add(alias_arn)


def open_keys(
    scope: Construct, distribution: Distribution, *, stack: Stack, source_keys: Iterable[IKeyRef | str] = ()
) -> None:
    """Let whoever launches and copies the AMIs of a distribution use its keys.

    A key that this app makes gets the statements in its policy.  For any other key an output of the stack holds them,
    because only its owner can change its policy.

    Args:
        scope: The distribution configuration.
        distribution: What it was rendered from.
        stack: Its stack.
        source_keys: Keys of the volumes in the build's Region.
    """
    region = region_of(stack)
    uses = key_uses(distribution, build_region=region, owner=account_of(stack), partition=partition_of(stack))
    here = dict.fromkeys(source_keys)
    for use in uses:
        own = distribution.key_of(use.region)
        keys = {**(here if use.region == region else {}), **({own: None} if own is not None else {})}
        for number, key in enumerate(keys):
            if not _opened(key, use, stack):
                _tell(scope, stack, use, key, number=number)


def _opened(key: IKeyRef | str, use: KeyUse, stack: Stack) -> bool:
    if isinstance(key, str):
        return key in _WRITTEN.get(app_of(stack), ())
    # A reference to a key that is no construct of the kms module has no policy to add to.
    add = getattr(key, "add_to_resource_policy", None)
    if add is None:
        return False
    statements = [iam.PolicyStatement.from_json(statement) for statement in use.statements()]
    return all(bool(add(statement).statement_added) for statement in statements)


def _tell(scope: Construct, stack: Stack, use: KeyUse, key: IKeyRef | str, *, number: int) -> None:
    name = key if isinstance(key, str) else key.key_ref.key_arn
    CfnOutput(
        scope,
        f"KeyPolicy{pascal(use.region)}{number or ''}",
        value=stack.to_json_string(use.statements()),
        description=f"What the policy of the key {name} must hold for the image to be copied and launched",
    )
