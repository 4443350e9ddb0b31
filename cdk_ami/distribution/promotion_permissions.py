"""What a promotion may do: pure documents, each wildcard with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cdk_ami.distribution.promotion_plan import FindingsGate, PromotionPlan, TestsGate
from cdk_ami.naming import normalized
from cdk_ami.policies import allow, policy


class Home(NamedTuple):
    """Where a promotion lives.

    Attributes:
        partition: Partition, such as ``aws``.
        region: Region.
        account: Account.
    """

    partition: str
    region: str
    account: str


def places_document(partition: str, account: str, image: str, *, watches: bool = True) -> dict[str, Any]:
    """Return what whoever moves the channels of ``image`` in ``account`` needs there.

    Args:
        partition: Partition, such as ``aws``.
        account: The account whose channels are moved.
        image: Name of the image.
        watches: Whether alarms and groups are looked at.
    """
    return policy(_places(partition, account, image, watches=watches))


def _places(partition: str, account: str, image: str, *, watches: bool) -> list[dict[str, Any]]:
    # Every channel of the image, in every Region: a promotion also moves back what a dead one of the same image left,
    # and waits for fleets in Regions of its waves.
    parameters = f"arn:{partition}:ssm:*:{account}:parameter/imagebuilder/{normalized(image)}/*"
    statements = [
        allow("Channels", ["ssm:DeleteParameter", "ssm:GetParameter", "ssm:PutParameter"], [parameters]),
        # Takes no resource; Parameter Store asks for it too, when a value of this data type is written.
        # https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html
        allow("Amis", ["ec2:DescribeImages"], ["*"]),
    ]
    if watches:
        statements.append(
            # Neither takes a resource that could be named beforehand.
            allow("Health", ["autoscaling:DescribeAutoScalingGroups", "cloudwatch:DescribeAlarms"], ["*"])
        )
    return statements


def function_document(plan: PromotionPlan, home: Home, *, log_group_arn: str) -> dict[str, Any]:
    """Return what the function of a promotion may do."""
    lock = f"arn:{home.partition}:ssm:{home.region}:{home.account}:parameter/imagebuilder/{normalized(plan.image)}"
    roles = sorted({place.role for place in (*plan.places, *plan.canaries) if place.role})
    watches = any(watch.alarms or watch.groups for watch in plan.watches)
    statements = [
        *_places(home.partition, home.account, plan.image, watches=watches),
        allow(
            "Lock",
            ["ssm:DeleteParameters", "ssm:GetParametersByPath"],
            [f"{lock}/promotion/lock", f"{lock}/promotion/lock/*"],
        ),
        # The lock may be held by an execution of any promotion of the image, in any stack of the account.
        allow(
            "Holders",
            ["states:DescribeExecution"],
            [f"arn:{home.partition}:states:{home.region}:{home.account}:execution:*"],
        ),
        allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [log_group_arn]),
    ]
    if roles:
        statements.append(allow("Accounts", ["sts:AssumeRole"], roles))
    return policy(statements)


def machine_document(
    plan: PromotionPlan,
    home: Home,
    *,
    function_arns: Sequence[str],
    topic_arns: Sequence[str],
    machines: Sequence[str],
    machine_names: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what the state machine of a promotion may do.

    Args:
        plan: The promotion.
        home: Where it lives.
        function_arns: Functions it invokes: its own, and those of gates.
        topic_arns: Topics it publishes to.
        machines: ARNs of state machines that are gates.
        machine_names: Their names.
    """
    statements = [allow("Functions", ["lambda:InvokeFunction"], list(function_arns))]
    if topic_arns:
        statements.append(allow("Topics", ["sns:Publish"], list(topic_arns)))
    builds = f"arn:{home.partition}:imagebuilder:{home.region}:{home.account}:image/{normalized(plan.image)}/*"
    if any(isinstance(gate, TestsGate | FindingsGate) for gate in plan.gates):
        statements.append(allow("Builds", ["imagebuilder:GetImage"], [builds]))
    if any(isinstance(gate, FindingsGate) for gate in plan.gates):
        # Takes no resource: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2imagebuilder.html
        statements.append(allow("Findings", ["imagebuilder:ListImageScanFindingAggregations"], ["*"]))
    if machines:
        executions = [
            f"arn:{home.partition}:states:{home.region}:{home.account}:execution:{name}:*" for name in machine_names
        ]
        rule = (
            f"arn:{home.partition}:events:{home.region}:{home.account}:"
            "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
        )
        statements += [
            allow("Machines", ["states:StartExecution"], list(machines)),
            allow("MachineExecutions", ["states:DescribeExecution", "states:StopExecution"], executions),
            # How Step Functions learns that a nested execution has ended.
            # https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
            allow("MachineEvents", ["events:DescribeRule", "events:PutRule", "events:PutTargets"], [rule]),
        ]
    return policy(statements)
