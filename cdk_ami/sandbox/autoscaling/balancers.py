"""Load balancers: an instance is their target as long as it is in service."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from moto.core.exceptions import ServiceException
from moto.elb.exceptions import LoadBalancerNotFoundError
from moto.elbv2.exceptions import TargetGroupNotFoundError

from cdk_ami.sandbox.autoscaling.members import is_suspended


def update(group: Any) -> None:
    """Register what is in service with the group's load balancers, and take away what is not."""
    if is_suspended(group, "AddToLoadBalancer"):
        return
    serving = {member.instance.id for member in group.instance_states if member.serving}
    backend = group.autoscaling_backend
    if group.load_balancer_names:
        with suppress(LoadBalancerNotFoundError):
            _classic(backend.elb_backend, group, serving)
    known = group.__dict__.setdefault("sandbox_targets", set())
    for arn in group.target_group_arns or []:
        with suppress(TargetGroupNotFoundError, ServiceException):
            (target_group,) = backend.elbv2_backend.describe_target_groups(
                target_group_arns=[arn], load_balancer_arn=None, names=None
            )
            if serving:
                backend.elbv2_backend.register_targets(arn, [{"Id": one, "Port": target_group.port} for one in serving])
            if gone := known - serving:
                backend.elbv2_backend.deregister_targets(arn, [{"Id": one} for one in gone])
    group.sandbox_targets = serving


def _classic(balancers: Any, group: Any, serving: set[str]) -> None:
    for balancer in balancers.describe_load_balancers(names=group.load_balancer_names):
        there = set(balancer.instance_ids)
        balancers.register_instances(balancer.name, serving - there, from_autoscaling=True)
        balancers.deregister_instances(balancer.name, there - serving, from_autoscaling=True)
