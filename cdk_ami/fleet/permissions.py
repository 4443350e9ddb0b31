"""What an instance of a fleet may do by default: one pure list of statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

AGENT_NAMESPACE: Final = "CWAgent"
"""Namespace that the CloudWatch agent writes unless it is told otherwise.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Agent-Configuration-File-Details.html"""

_SESSION_ACTIONS: Final = (
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
"""What Session Manager needs.  None of the message actions takes a resource.
https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html"""

WILDCARD_REASON: Final = (
    "Session Manager's messages and CloudWatch's metrics take no resource: "
    "metrics are held to the agent's namespace instead"
)
"""Why the role of a fleet holds ``*``; stated beside the role to whoever checks the template."""


def fleet_policy(
    *, session_manager: bool, cloudwatch_agent: bool, log_group_arns: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the policy document of the default role, with no statement when nothing is asked for.

    Args:
        session_manager: Whether people may open sessions on the instances.
        cloudwatch_agent: Whether the CloudWatch agent may report metrics.
        log_group_arns: ARNs of the log groups that the agent may write.
    """
    statements: list[dict[str, Any]] = []
    if session_manager:
        statements.append(_allow("Sessions", _SESSION_ACTIONS, ["*"]))
    if cloudwatch_agent:
        namespace = {"StringEquals": {"cloudwatch:namespace": AGENT_NAMESPACE}}
        statements.append(_allow("Metrics", ["cloudwatch:PutMetricData"], ["*"]) | {"Condition": namespace})
        statements.append(_allow("Dimensions", ["ec2:DescribeTags", "ec2:DescribeVolumes"], ["*"]))
    if log_group_arns:
        statements.append(
            _allow(
                "Logs", ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], list(log_group_arns)
            )
        )
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(sid: str, actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    resource = resources[0] if len(resources) == 1 else list(resources)
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}
