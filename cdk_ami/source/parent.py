"""The parent image of a recipe, in the forms that a recipe knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cdk_ami.checks.rule import is_token
from cdk_ami.errors import Faults
from cdk_ami.source.platform import Architecture

if TYPE_CHECKING:
    from constructs import Construct


class Fixed(NamedTuple):
    """A parent image that reads the same in every stack.

    Attributes:
        parent_image: The recipe's ``ParentImage``.
        parameter: The parameter that it names, or None.
    """

    parent_image: str
    parameter: str | None = None


class Managed(NamedTuple):
    """An image that AWS manages in every Region.

    Attributes:
        name: Normalized name, such as ``amazon-linux-2023-x86``.
        version: Version, ``x.x.x`` for the newest.
    """

    name: str
    version: str


class Lookup(NamedTuple):
    """The newest AMI of trusted owners, found when the template is built.

    Attributes:
        name: Name of the AMI, with ``*`` for what varies.
        owners: Accounts or aliases whose AMIs are trusted.
        architecture: Processor.
    """

    name: str
    owners: tuple[str, ...]
    architecture: Architecture


Parent = Fixed | Managed | Lookup


def find_faults_of_stack(parent: Parent, faults: Faults, *, account: str, region: str) -> None:
    """Record in ``faults`` why a stack of this account and Region cannot use ``parent``."""
    if not isinstance(parent, Lookup):
        return
    for prop, value in (("account", account), ("region", region)):
        if is_token(value):
            faults.add(
                "source",
                f"is looked up, but the stack names no {prop}",
                got=parent.name,
                fix=f"give the stack env=Environment({prop}=...), or start from an SSM parameter",
            )


def parent_image(parent: Parent, scope: Construct) -> str:
    """Return the ``ParentImage`` of a recipe in ``scope``.

    Raises:
        ConfigError: When the AMI must be looked up and the stack names no account or Region.
    """
    match parent:
        case Fixed(parent_image=text):
            return text
        case Managed(name=name, version=version):
            from aws_cdk import Aws  # noqa: PLC0415 - only stacks that use one need it

            return f"arn:{Aws.PARTITION}:imagebuilder:{Aws.REGION}:aws:image/{name}/{version}"
        case Lookup():
            return _look_up(scope, parent)


def _look_up(scope: Construct, wanted: Lookup) -> str:
    from aws_cdk import ContextProvider  # noqa: PLC0415 - as above

    from cdk_ami.home import account_of, region_of, stack_of  # noqa: PLC0415 - as above

    stack, faults = stack_of(scope), Faults(scope)
    find_faults_of_stack(wanted, faults, account=account_of(stack), region=region_of(stack))
    faults.raise_if_any()
    found = ContextProvider.get_value(
        scope,
        provider="ami",
        # Stands in the first template, before the command line has looked the AMI up.
        dummy_value="ami-1234",
        props={
            "owners": list(wanted.owners),
            "filters": {
                "name": [wanted.name],
                "architecture": [wanted.architecture.value],
                "state": ["available"],
                "image-type": ["machine"],
            },
        },
    )
    return str(found.value)
