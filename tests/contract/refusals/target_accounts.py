"""Bad inputs to the roles of accounts that receive copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import aws_cdk as cdk

from cdk_ami import Delivery, TargetAccountRole
from tests.contract.refusals.row import SET_UP, Row

Call = Callable[[cdk.Stack], object]
BUILDS: Final = "210987654321"
HERE: Final = "123456789012"
DELIVERY: Final = Delivery(image="web", region="eu-west-1", parameters=("/imagebuilder/web/latest",))


def receiving(construct_id: str = "Images", **options: Any) -> Call:
    """Return the call that makes the roles, good but for ``options``."""
    given: dict[str, Any] = {"source_account": BUILDS, "deliveries": [DELIVERY]} | options
    return lambda stack: TargetAccountRole(stack, construct_id, **given)


def twice(stack: cdk.Stack) -> None:
    """Make the roles of one account twice."""
    receiving(SET_UP)(stack)
    receiving()(stack)


MANY: Final = [
    Delivery(image=f"image-{number}", region="eu-west-1", parameters=(f"/imagebuilder/image-{number}/latest",))
    for number in range(130)
]

ROWS: Final = (
    Row(
        "an account receives nothing",
        receiving(deliveries=[]),
        "S/Images",
        "deliveries",
        [],
        "name the account in a Target's accounts",
        "DeliveriesPresent",
    ),
    Row(
        "the account that builds is to receive its own copies",
        receiving(source_account=HERE),
        "S/Images",
        "source_account",
        HERE,
        "give the account that builds",
        "SourceAccountElsewhere",
    ),
    Row(
        "an account has the roles with fixed names twice",
        twice,
        "S/Images",
        "deliveries",
        HERE,
        "give the deliveries of all images to one TargetAccountRole",
        "TargetRolesOnce",
    ),
    Row(
        "a role of a third account may take the distribution role",
        receiving(trusted_roles=["arn:aws:iam::333333333333:role/Promotion"]),
        "S/Images",
        "trusted_roles[0]",
        "arn:aws:iam::333333333333:role/Promotion",
        "name a role of the account that builds",
        "TrustedRole",
    ),
    Row(
        "a role would need a larger policy than a role holds",
        receiving(deliveries=MANY),
        "S/Images",
        "deliveries",
        12_716,
        "copy fewer images into the account",
        "RolePolicySize",
    ),
)
