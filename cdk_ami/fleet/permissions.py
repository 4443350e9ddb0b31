"""What an instance of a fleet may do by default: one pure list of statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cdk_ami.policies import allow, policy

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

_LOG_ACTIONS: Final = ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
"""How the CloudWatch agent writes to a log group.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/create-iam-roles-for-cloudwatch-agent.html"""

WILDCARD_REASON: Final = (
    "Session Manager's messages, CloudWatch's metrics and descriptions take no resource: metrics are held to the "
    "agent's namespace, and the log groups that the agent makes to the prefix that its configuration gives them"
)
"""Why the role of a fleet holds ``*``; stated beside the role to whoever checks the template."""


def fleet_policy(
    *,
    session_manager: bool,
    cloudwatch_agent: bool,
    log_group_arns: Sequence[str] = (),
    agent_log_groups_arn: str | None = None,
) -> dict[str, Any]:
    """Return the policy document of the default role, with no statement when nothing is asked for.

    Args:
        session_manager: Whether people may open sessions on the instances.
        cloudwatch_agent: Whether the CloudWatch agent may report metrics.
        log_group_arns: ARNs of the log groups that the agent may write.
        agent_log_groups_arn: ARN, a wildcard at its end, of the log groups that the agent may make, write and give a
            retention.
    """
    statements: list[dict[str, Any]] = []
    if session_manager:
        statements.append(allow("Sessions", _SESSION_ACTIONS, ["*"]))
    if cloudwatch_agent:
        namespace = {"StringEquals": {"cloudwatch:namespace": AGENT_NAMESPACE}}
        statements.append(allow("Metrics", ["cloudwatch:PutMetricData"], ["*"], condition=namespace))
        statements.append(allow("Dimensions", ["ec2:DescribeTags", "ec2:DescribeVolumes"], ["*"]))
    if log_group_arns:
        statements.append(allow("Logs", _LOG_ACTIONS, log_group_arns))
    if agent_log_groups_arn:
        actions = ["logs:CreateLogGroup", "logs:PutRetentionPolicy", *_LOG_ACTIONS]
        statements.append(allow("AgentLogs", actions, [agent_log_groups_arn]))
        statements.append(allow("AgentLogGroups", ["logs:DescribeLogGroups"], ["*"]))
    return policy(statements)
