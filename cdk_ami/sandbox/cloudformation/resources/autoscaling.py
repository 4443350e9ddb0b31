"""Auto Scaling groups with their update policies, scaling policies, hooks and warm pools."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.cloudformation.errors import ResourceError
from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles, wait
from cdk_ami.sandbox.cloudformation.resources.mapping import api_parameters, shaped

DIRECT: Final = (
    "AvailabilityZoneDistribution",
    "AvailabilityZoneImpairmentPolicy",
    "AvailabilityZones",
    "CapacityRebalance",
    "CapacityReservationSpecification",
    "Context",
    "DefaultInstanceWarmup",
    "DeletionProtection",
    "DesiredCapacity",
    "DesiredCapacityType",
    "HealthCheckGracePeriod",
    "HealthCheckType",
    "InstanceLifecyclePolicy",
    "InstanceMaintenancePolicy",
    "LaunchTemplate",
    "MaxInstanceLifetime",
    "MaxSize",
    "MinSize",
    "MixedInstancesPolicy",
    "NewInstancesProtectedFromScaleIn",
    "ServiceLinkedRoleARN",
    "SkipZonalShiftValidation",
    "TargetGroupARNs",
    "TerminationPolicies",
)
"""Properties that the API takes by the same name."""

CREATE_ONLY_PARAMETERS: Final = ("TargetGroupARNs",)
"""Properties that CreateAutoScalingGroup takes and UpdateAutoScalingGroup does not."""

REFRESHES: Final = frozenset({"AvailabilityZones", "LaunchTemplate", "MixedInstancesPolicy", "VPCZoneIdentifier"})
"""Properties whose change replaces instances under a policy that does so.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html, read 2026-11-28.
"""

POLICIES: Final = ("AutoScalingInstanceRefresh", "AutoScalingRollingUpdate", "AutoScalingScheduledAction")
"""Update policies that are followed.  Same source."""

IN_PLACE: Final = "ReplaceRootVolume"
"""The strategy of a refresh that changes AMIs and nothing else."""

LONGEST_PAUSE: Final = 3600
MOST_AT_ONCE: Final = 100
"""Seconds between two batches of a rolling update, and instances in one, at most.  Same source."""

RENAMES: Final = {"Cooldown": "DefaultCooldown", "LaunchTemplateSpecification": "LaunchTemplateSpecification"}
"""API names that differ in more than case."""

SWITCHED_OFF: Final = ("$Latest", "$Default")
"""Versions of a launch template that CloudFormation refuses.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-autoscaling-autoscalinggroup-launchtemplatespecification.html"""

WATCHING: Final = frozenset({"AlarmSpecification", "BakeTime", "CheckpointDelay", "CheckpointPercentages"})
"""Preferences that hold for the way forward only."""

FAILED_REFRESH: Final = frozenset({"Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"})
"""Ends of a refresh that fail the update."""


@handles(
    "AWS::AutoScaling::AutoScalingGroup",
    "AutoScalingGroupName Cooldown LifecycleHookSpecificationList MetricsCollection NotificationConfigurations Tags "
    f"VPCZoneIdentifier {' '.join(DIRECT)}",
    updates="Cooldown LifecycleHookSpecificationList MetricsCollection NotificationConfigurations Tags "
    "VPCZoneIdentifier "
    f"{' '.join(name for name in DIRECT if name not in CREATE_ONLY_PARAMETERS)}",
)
class AutoScalingGroup(Handler):
    """A group; done when as many instances as desired are in service."""

    def problems(self, properties: Mapping[str, Any]) -> Iterable[str]:
        """Return versions of launch templates that CloudFormation refuses."""
        if str(properties.get("LaunchTemplate", {}).get("Version")) in SWITCHED_OFF:
            yield "LaunchTemplate/Version: must be a number; use Fn::GetAtt LatestVersionNumber"

    def policy_problems(self, policy: Mapping[str, Any]) -> Iterable[str]:
        """Return what is wrong with an update policy, and what the sandbox cannot do of it."""
        for name in policy:
            if name not in POLICIES:
                yield f"{name}: the sandbox does not support this update policy"
        rolling = policy.get("AutoScalingRollingUpdate") or {}
        for name in ("WaitOnResourceSignals", "MinSuccessfulInstancesPercent"):
            if rolling.get(name) not in {None, False}:
                yield f"AutoScalingRollingUpdate/{name}: the sandbox has no signals of resources"
        if not 1 <= int(rolling.get("MaxBatchSize", 1)) <= MOST_AT_ONCE:
            yield f"AutoScalingRollingUpdate/MaxBatchSize: must be 1 to {MOST_AT_ONCE}"
        pause = _seconds(str(rolling.get("PauseTime", "PT0S")))
        if pause is None or pause > LONGEST_PAUSE:
            yield "AutoScalingRollingUpdate/PauseTime: must be a duration such as PT5M, of an hour at most"

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
        refresh = context.update_policy.get("AutoScalingInstanceRefresh")
        rolling = context.update_policy.get("AutoScalingRollingUpdate")
        replaces = bool(changed(old, new) & REFRESHES)
        desired: dict[str, Any] = {}
        if replaces and refresh and refresh["Strategy"] == IN_PLACE and "MixedInstancesPolicy" in parameters:
            # Such a refresh must know where it leads, and the group gets there when it has succeeded.
            desired["MixedInstancesPolicy"] = parameters.pop("MixedInstancesPolicy")
        before = _instances(client, physical_id)
        client.update_auto_scaling_group(AutoScalingGroupName=physical_id, **parameters)
        self._retag(context, client, physical_id, old, new)
        self._extras(client, physical_id, old, new)
        self._in_service(client, physical_id)
        if replaces and refresh:
            if context.rolls_back:
                # The alarm that failed the update sounds until what it sounds for is gone.  AWS does not say what
                # becomes of alarms here; were they in force, none of them could ever roll a stack back.
                kept = {name: value for name, value in refresh.get("Preferences", {}).items() if name not in WATCHING}
                refresh = {**refresh, "Preferences": kept}
            self._refresh(client, physical_id, refresh, desired)
        elif replaces and rolling:
            self._roll(client, physical_id, rolling, before)
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
        if old and "LifecycleHookSpecificationList" in differ:
            self._rehook(client, name, old, new)
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

    def _rehook(self, client: Any, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        hooks = new.get("LifecycleHookSpecificationList", ())
        kept = {hook["LifecycleHookName"] for hook in hooks}
        for hook in old.get("LifecycleHookSpecificationList", ()):
            if hook["LifecycleHookName"] not in kept:
                client.delete_lifecycle_hook(AutoScalingGroupName=name, LifecycleHookName=hook["LifecycleHookName"])
        for hook in hooks:
            client.put_lifecycle_hook(
                AutoScalingGroupName=name, **api_parameters("autoscaling", "PutLifecycleHook", hook)
            )

    def _in_service(self, client: Any, name: str) -> None:
        """Wait until as much is in service as is desired.

        Raises:
            ResourceError: When the group cannot launch it, as its newest activity says.
        """

        def ready() -> bool:
            found = _group(client, name)
            if found is None:
                raise ResourceError(f"{name} is gone")
            states = [one["LifecycleState"] for one in found["Instances"]]
            serving = [one for one in found["Instances"] if one["LifecycleState"] == "InService"]
            if sum(int(one.get("WeightedCapacity", 1)) for one in serving) >= int(found["DesiredCapacity"]):
                return True
            if not any(state.startswith(("Pending", "Terminating")) for state in states):
                self._check_stable(client, found, len(states))
            return False

        wait(ready, what=f"the instances of {name}")

    def _check_stable(self, client: Any, group: Mapping[str, Any], current: int) -> None:
        newest = client.describe_scaling_activities(AutoScalingGroupName=group["AutoScalingGroupName"], MaxRecords=1)
        for activity in newest["Activities"]:
            if activity["StatusCode"] == "Failed":
                sizes = f"{current}, minSize={group['MinSize']}, maxSize={group['MaxSize']}"
                raise ResourceError(
                    f"Group did not stabilize. {{current={sizes}, desired={group['DesiredCapacity']}}}. Failed Scaling "
                    f"Activity: {activity['StatusMessage']}"
                )

    def _roll(self, client: Any, name: str, policy: Mapping[str, Any], before: list[str]) -> None:
        """Replace the instances that were there before, batch by batch, with a pause after each.

        Where too few would be in service meanwhile, the group grows first, and shrinks again in the end.
        """
        found = _group(client, name)
        if found is None:
            raise ResourceError(f"{name} is gone")
        desired, maximum = int(found["DesiredCapacity"]), int(found["MaxSize"])
        minimum, most = int(policy.get("MinInstancesInService", 0)), int(policy.get("MaxBatchSize", 1))
        if minimum >= maximum:
            raise ResourceError(
                f"MinInstancesInService must be less than the autoscaling group's MaxSize, got {minimum} and {maximum}"
            )
        processes = policy.get("SuspendProcesses") or []
        if processes:
            client.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=processes)
        try:
            grown = max(desired, min(maximum, minimum + min(most, len(before)))) if before else desired
            if grown > desired:
                client.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=grown)
                self._in_service(client, name)
            waiting = [one for one in before if one in _instances(client, name)]
            size = max(1, min(most, grown - minimum))
            for start in range(0, len(waiting), size):
                for one in waiting[start : start + size]:
                    client.terminate_instance_in_auto_scaling_group(
                        InstanceId=one, ShouldDecrementDesiredCapacity=False
                    )
                self._in_service(client, name)
                CLOCK.sleep(_seconds(str(policy.get("PauseTime", "PT0S"))) or 0)
            if grown > desired:
                client.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=desired)
        finally:
            if processes:
                client.resume_processes(AutoScalingGroupName=name, ScalingProcesses=processes)

    def _refresh(self, client: Any, name: str, policy: Mapping[str, Any], desired: Mapping[str, Any]) -> None:
        preferences = dict(policy.get("Preferences") or {})
        # The CDK documents true as the default under this policy, unlike the API's own.
        preferences.setdefault("SkipMatching", True)
        parameters = api_parameters(
            "autoscaling", "StartInstanceRefresh", {"Strategy": policy["Strategy"], "Preferences": preferences}
        )
        if desired:
            parameters["DesiredConfiguration"] = desired
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


def _seconds(duration: str) -> int | None:
    """Return the seconds of a duration such as ``PT1H30M``, None when it is none."""
    match = DURATION.fullmatch(duration)
    if match is None or duration == "PT":
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return (hours * 60 + minutes) * 60 + seconds


DURATION: Final = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")


def _instances(client: Any, name: str) -> list[str]:
    found = _group(client, name)
    return [one["InstanceId"] for one in found["Instances"]] if found else []


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


@handles(
    "AWS::AutoScaling::WarmPool",
    "AutoScalingGroupName InstanceReusePolicy MaxGroupPreparedCapacity MinSize PoolState",
)
class WarmPool(Handler):
    """The warm pool of a group; done when its instances are ready."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Put the pool."""
        return self._put(context, new)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Put the pool again: what is left out goes back to its default."""
        # A capacity that was set stays until it is taken away by name.
        return self._put(context, {"MaxGroupPreparedCapacity": -1, **new})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the pool with its instances, and wait until both are gone."""
        client = context.client("autoscaling")
        group = _group(client, physical_id)
        if group is None or "WarmPoolConfiguration" not in group:
            return
        client.delete_warm_pool(AutoScalingGroupName=physical_id, ForceDelete=True)

        def gone() -> bool:
            found = _group(client, physical_id)
            return found is None or "WarmPoolConfiguration" not in found

        wait(gone, what=f"the end of the warm pool of {physical_id}")

    def _put(self, context: Context, new: Mapping[str, Any]) -> Made:
        client, name = context.client("autoscaling"), new["AutoScalingGroupName"]
        client.put_warm_pool(**api_parameters("autoscaling", "PutWarmPool", new))
        context.began(name)

        def ready() -> bool:
            instances = client.describe_warm_pool(AutoScalingGroupName=name)["Instances"]
            return all(one["LifecycleState"] in READY for one in instances)

        wait(ready, what=f"the warm pool of {name}")
        return Made(physical_id=name)


READY: Final = frozenset({"Warmed:Stopped", "Warmed:Running", "Warmed:Hibernated"})
"""States in which an instance of a warm pool rests."""
