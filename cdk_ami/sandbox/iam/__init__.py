"""Mends of the emulator's IAM: AWS's own managed policies, each loaded when it is first named.

The emulator can load all 1,582 at once, which costs 0.2 s for each account and again after every reset.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.iam import simulation

METHODS: Final = {
    "attach_group_policy": ("policy_arn", "group_name"),
    "attach_role_policy": ("policy_arn", "role_name"),
    "attach_user_policy": ("policy_arn", "user_name"),
    "get_policy": ("policy_arn",),
}
"""Methods that name a policy, with the parameters we rely on."""


def install() -> None:
    """Let each method find AWS's policies."""
    for name, takes in METHODS.items():
        _loading(name, takes)
    simulation.install()


def _loading(name: str, takes: tuple[str, ...]) -> None:
    def load_first(self: Any, policy_arn: str, *arguments: Any) -> Any:
        if policy_arn not in self.managed_policies and policy_arn in _policies():
            title, data = _policies()[policy_arn]
            made = AWSManagedPolicy.from_data(title, self.account_id, self.region_name, data)
            self.managed_policies[made.arn] = made
            self.aws_managed_policies.append(made)
        return original(self, policy_arn, *arguments)

    original = emulator.replace(IAMBackend, name, load_first, takes=takes)


@cache
def _policies() -> dict[str, tuple[str, dict[str, Any]]]:
    found = json.loads(aws_managed_policies_data)
    return {f"arn:aws:iam::aws:policy{one['Path']}{name}": (name, one) for name, one in found.items()}
