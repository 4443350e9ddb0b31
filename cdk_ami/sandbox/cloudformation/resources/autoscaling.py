"""Auto Scaling groups with their instance refreshes, scaling policies and hooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.errors import ResourceError
from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles, wait
from cdk_ami.sandbox.cloudformation.resources.mapping import api_parameters, shaped

DIRECT: Final = (
    "AvailabilityZoneDistribution",
    "AvailabilityZones",
    "CapacityRebalance",
    "DefaultInstanceWarmup",
    "DesiredCapacity",
    "DesiredCapacityType",
    "HealthCheckGracePeriod",
    "HealthCheckType",
    "InstanceMaintenancePolicy",
    "LaunchTemplate",
    "MaxInstanceLifetime",
    "MaxSize",
    "MinSize",
    "MixedInstancesPolicy",
    "NewInstancesProtectedFromScaleIn",
    "ServiceLinkedRoleARN",
    "TargetGroupARNs",
    "TerminationPolicies",
)
"""Properties that the API takes by the same name."""

CREATE_ONLY_PARAMETERS: Final = ("TargetGroupARNs",)
"""Properties that CreateAutoScalingGroup takes and UpdateAutoScalingGroup does not."""

REFRESHES: Final = frozenset({"LaunchTemplate", "MixedInstancesPolicy", "VPCZoneIdentifier"})
"""Properties whose change replaces instances under the policy ``AutoScalingInstanceRefresh``.
https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.CfnAutoScalingInstanceRefresh.html, read 2026-11-22"""

RENAMES: Final = {"Cooldown": "DefaultCooldown", "LaunchTemplateSpecification": "LaunchTemplateSpecification"}
"""API names that differ in more than case."""

SWITCHED_OFF: Final = ("$Latest", "$Default")
"""Versions of a launch template that CloudFormation refuses.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-autoscaling-autoscalinggroup-launchtemplatespecification.html"""

FAILED_REFRESH: Final = frozenset({"Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"})
"""Ends of a refresh that fail the update."""


@handles(
    "AWS::AutoScaling::AutoScalingGroup",
    "AutoScalingGroupName Cooldown LifecycleHookSpecificationList MetricsCollection NotificationConfigurations Tags "
    f"VPCZoneIdentifier {' '.join(DIRECT)}",
    updates="Cooldown MetricsCollection NotificationConfigurations Tags VPCZoneIdentifier "
    f"{' '.join(name for name in DIRECT if name not in CREATE_ONLY_PARAMETERS)}",
)
class AutoScalingGroup(Handler):
    """A group; done when as many instances as desired are in service."""

    def problems(self, properties: Mapping[str, Any]) -> Iterable[str]:
        """Return versions of launch templates that CloudFormation refuses."""
        if str(properties.get("LaunchTemplate", {}).get("Version")) in SWITCHED_OFF:
            yield "LaunchTemplate/Version: must be a number; use Fn::GetAtt LatestVersionNumber"

    def replaces(self, changed: frozenset[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Keep the group: only a replacing update policy, which is refused, would replace it."""
        return False

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the group and wait for its instances."""
        client = context.client("autoscaling")
        name = new.get("AutoScalingGroupName") or context.name()
        hooks = new.get("LifecycleHookSpecificationList")
        more = (
            {"LifecycleHookSpecificationList": shaped("autoscaling", "LifecycleHookSpecifications", hooks)}
            if hooks
            else {}
        )
        client.create_auto_scaling_group(
            AutoScalingGroupName=name, Tags=self._tags(context, name, new), **self._parameters(new, "Create"), **more
        )
        context.began(name)
        self._extras(client, name, {}, new)
        self._in_service(client, name)
        return self._made(client, name)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Change the group, then replace its instances when its policy says so."""
        client = context.client("autoscaling")
        parameters = self._parameters(new, "Update")
        scheduled = context.update_policy.get("AutoScalingScheduledAction") or {}
        if scheduled.get("IgnoreUnmodifiedGroupSizeProperties"):
            for size in frozenset({"DesiredCapacity", "MaxSize", "MinSize"}) - changed(old, new):
                parameters.pop(size, None)
        client.update_auto_scaling_group(AutoScalingGroupName=physical_id, **parameters)
        self._retag(context, client, physical_id, old, new)
        self._extras(client, physical_id, old, new)
        self._in_service(client, physical_id)
        policy = context.update_policy.get("AutoScalingInstanceRefresh")
        if policy and changed(old, new) & REFRESHES:
            self._refresh(client, physical_id, policy)
        return self._made(client, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the group with its instances, and wait until both are gone."""
        client = context.client("autoscaling")
        found = _group(client, physical_id)
        if found is None:
            return
        client.delete_auto_scaling_group(AutoScalingGroupName=physical_id, ForceDelete=True)
        wait(lambda: _group(client, physical_id) is None, what=physical_id)

    def _parameters(self, new: Mapping[str, Any], verb: str) -> dict[str, Any]:
        left_out = CREATE_ONLY_PARAMETERS if verb == "Update" else ()
        own = {name: new[name] for name in (*DIRECT, "Cooldown") if name in new and name not in left_out}
        made = api_parameters("autoscaling", f"{verb}AutoScalingGroup", own, renames=RENAMES)
        if "VPCZoneIdentifier" in new:
            made["VPCZoneIdentifier"] = ",".join(new["VPCZoneIdentifier"])
        return made

    def _tags(self, context: Context, name: str, new: Mapping[str, Any]) -> list[dict[str, Any]]:
        own = {tag["Key"] for tag in new.get("Tags", ())}
        inherited = [
            {"Key": key, "Value": value, "PropagateAtLaunch": True}
            for key, value in context.stack_tags.items()
            if key not in own
        ]
        return [
            {"ResourceId": name, "ResourceType": "auto-scaling-group", **tag}
            for tag in (*inherited, *new.get("Tags", ()))
        ]

    def _retag(self, context: Context, client: Any, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        tags = self._tags(context, name, new)
        keys = {tag["Key"] for tag in tags}
        before = [*(tag["Key"] for tag in old.get("Tags", ())), *context.previous_stack_tags]
        gone = [key for key in dict.fromkeys(before) if key not in keys]
        if gone:
            where = {"ResourceId": name, "ResourceType": "auto-scaling-group"}
            client.delete_tags(Tags=[{"Key": key, **where} for key in gone])
        if tags:
            client.create_or_update_tags(Tags=tags)

    def _extras(self, client: Any, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        differ = changed(old, new)
        if "MetricsCollection" in differ:
            if old.get("MetricsCollection"):
                client.disable_metrics_collection(AutoScalingGroupName=name)
            for one in new.get("MetricsCollection", ()):
                client.enable_metrics_collection(AutoScalingGroupName=name, **one)
        if "NotificationConfigurations" in differ:
            for one in old.get("NotificationConfigurations", ()):
                client.delete_notification_configuration(AutoScalingGroupName=name, TopicARN=_topic(one))
            for one in new.get("NotificationConfigurations", ()):
                client.put_notification_configuration(
                    AutoScalingGroupName=name, TopicARN=_topic(one), NotificationTypes=one.get("NotificationTypes", [])
                )

    def _in_service(self, client: Any, name: str) -> None:
        def ready() -> bool:
            found = _group(client, name)
            if found is None:
                raise ResourceError(f"{name} is gone")
            serving = [one for one in found["Instances"] if one["LifecycleState"] == "InService"]
            return len(serving) >= int(found["DesiredCapacity"])

        wait(ready, what=f"the instances of {name}")

    def _refresh(self, client: Any, name: str, policy: Mapping[str, Any]) -> None:
        preferences = dict(policy.get("Preferences") or {})
        # The CDK documents true as the default under this policy, unlike the API's own.
        preferences.setdefault("SkipMatching", True)
        parameters = api_parameters(
            "autoscaling", "StartInstanceRefresh", {"Strategy": policy["Strategy"], "Preferences": preferences}
        )
        refresh = client.start_instance_refresh(AutoScalingGroupName=name, **parameters)["InstanceRefreshId"]

        def done() -> bool:
            found = client.describe_instance_refreshes(AutoScalingGroupName=name, InstanceRefreshIds=[refresh])
            one = found["InstanceRefreshes"][0]
            if one["Status"] in FAILED_REFRESH:
                why = one.get("StatusReason", "no reason given")
                raise ResourceError(f"The instance refresh {refresh} of {name} ended as {one['Status']}: {why}")
            return bool(one["Status"] == "Successful")

        wait(done, what=f"the instance refresh {refresh} of {name}")

    def _made(self, client: Any, name: str) -> Made:
        found = _group(client, name)
        arn = found["AutoScalingGroupARN"] if found else ""
        return Made(physical_id=name, attributes={"AutoScalingGroupARN": arn, "AutoScalingGroupName": name})


def _topic(one: Mapping[str, Any]) -> str:
    topic = one["TopicARN"]
    return str(topic[0] if isinstance(topic, list) else topic)


def _group(client: Any, name: str) -> dict[str, Any] | None:
    found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return found[0] if found else None


@handles(
    "AWS::AutoScaling::ScalingPolicy",
    "AdjustmentType AutoScalingGroupName Cooldown EstimatedInstanceWarmup MetricAggregationType MinAdjustmentMagnitude "
    "PolicyType PredictiveScalingConfiguration ScalingAdjustment StepAdjustments TargetTrackingConfiguration",
)
class ScalingPolicy(Handler):
    """A scaling policy."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Put the policy under a name of its own."""
        return self._put(context, context.name(), new)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Put the policy again."""
        return self._put(context, physical_id.rpartition("policyName/")[2], new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Remove the policy."""
        name = physical_id.rpartition("policyName/")[2]
        group = properties["AutoScalingGroupName"]
        context.client("autoscaling").delete_policy(AutoScalingGroupName=group, PolicyName=name)

    def _put(self, context: Context, name: str, new: Mapping[str, Any]) -> Made:
        parameters = api_parameters("autoscaling", "PutScalingPolicy", {**new, "PolicyName": name})
        client = context.client("autoscaling")
        client.put_scaling_policy(**parameters)
        # The emulator's answer lacks the ARN.
        found = client.describe_policies(AutoScalingGroupName=new["AutoScalingGroupName"], PolicyNames=[name])
        arn = found["ScalingPolicies"][0]["PolicyARN"]
        return Made(physical_id=arn, attributes={"Arn": arn, "PolicyName": name})


@handles(
    "AWS::AutoScaling::LifecycleHook",
    "AutoScalingGroupName DefaultResult HeartbeatTimeout LifecycleHookName LifecycleTransition NotificationMetadata "
    "NotificationTargetARN RoleARN",
)
class LifecycleHook(Handler):
    """A hook that holds instances on their way in or out."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Put the hook."""
        return self._put(context, new.get("LifecycleHookName") or context.name(), new)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Put the hook again."""
        return self._put(context, physical_id, new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Remove the hook."""
        context.client("autoscaling").delete_lifecycle_hook(
            LifecycleHookName=physical_id, AutoScalingGroupName=properties["AutoScalingGroupName"]
        )

    def _put(self, context: Context, name: str, new: Mapping[str, Any]) -> Made:
        parameters = api_parameters("autoscaling", "PutLifecycleHook", {**new, "LifecycleHookName": name})
        context.client("autoscaling").put_lifecycle_hook(**parameters)
        return Made(physical_id=name, attributes={"LifecycleHookName": name})
