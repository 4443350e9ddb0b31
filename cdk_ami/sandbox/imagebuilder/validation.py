"""What the service refuses beyond the shapes of its model: values that do not fit each other; pure.

Each function yields the parameter and what is wrong with it.  Sources: the pages of the structures in
https://docs.aws.amazon.com/imagebuilder/latest/APIReference/, read 2026-11-22.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from cdk_ami.limits import BUILD_DATE, IMAGE_BUILDER_LOG_PREFIX, RESERVED_RESOURCE_TAGS
from cdk_ami.sandbox.imagebuilder import arns, schedules

Fault = tuple[str, str]

WORKFLOWS_MAX: Final = 10
"""https://docs.aws.amazon.com/imagebuilder/latest/userguide/manage-image-workflows.html, read 2026-11-28"""

NOT_IN_SANDBOX: Final = (
    "containerDistributionConfiguration",
    "licenseConfigurationArns",
    "s3ExportConfiguration",
)
"""Parts of a distribution that the real service has and this one refuses by name."""


def block_device_faults(mappings: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    """Check the block devices of a recipe."""
    names = Counter(mapping.get("deviceName") for mapping in mappings)
    for index, mapping in enumerate(mappings):
        at = f"blockDeviceMappings[{index}]"
        if not mapping.get("deviceName"):
            yield f"{at}.deviceName", "A device name is required."
        elif names[mapping["deviceName"]] > 1:
            yield f"{at}.deviceName", "A device can be mapped once only."
        yield from _volume_faults(mapping.get("ebs") or {}, f"{at}.ebs")


def _volume_faults(ebs: Mapping[str, Any], at: str) -> Iterator[Fault]:
    kind = ebs.get("volumeType")
    if ebs.get("kmsKeyId") and ebs.get("encrypted") is not True:
        yield f"{at}.kmsKeyId", "A key needs encrypted to be true."
    if ebs.get("throughput") is not None and kind != "gp3":
        yield f"{at}.throughput", "Throughput can be set for gp3 volumes only."
    if ebs.get("iops") is not None and kind not in ("io1", "io2", "gp3"):
        yield f"{at}.iops", "IOPS can be set for io1, io2 and gp3 volumes only."
    if kind in ("io1", "io2") and ebs.get("iops") is None:
        yield f"{at}.iops", f"A volume of the type {kind} needs IOPS."


def infrastructure_faults(request: Mapping[str, Any]) -> Iterator[Fault]:
    """Check an infrastructure configuration."""
    if request.get("subnetId") and not request.get("securityGroupIds"):
        yield "securityGroupIds", "A subnet needs at least one security group."
    for key in request.get("resourceTags") or {}:
        if key in RESERVED_RESOURCE_TAGS:
            yield "resourceTags", f"The tag key '{key}' is reserved."


def distribution_faults(
    distributions: Sequence[Mapping[str, Any]], *, account: str, regions: frozenset[str]
) -> Iterator[Fault]:
    """Check the targets of a distribution configuration made by ``account``, where ``regions`` exist."""
    if not distributions:
        yield "distributions", "At least one distribution is required."
    named = Counter(target.get("region") for target in distributions)
    for index, target in enumerate(distributions):
        at = f"distributions[{index}]"
        name = str(target.get("region"))
        if name not in regions:
            yield f"{at}.region", f"The Region '{name}' does not exist."
        if named[name] > 1:
            yield f"{at}.region", f"The Region '{name}' can be listed once only."
        if not any(value for key, value in target.items() if key != "region"):
            yield at, "One or more outputs should be provided for each Region."
        yield from _ami_faults(target.get("amiDistributionConfiguration") or {}, f"{at}.amiDistributionConfiguration")
        yield from _parameter_faults(target, at, account)


def _ami_faults(ami: Mapping[str, Any], at: str) -> Iterator[Fault]:
    name = ami.get("name")
    if name is not None and BUILD_DATE.replace(" ", "") not in name.replace(" ", ""):
        yield f"{at}.name", f"The AMI name must include {BUILD_DATE}."
    permission = ami.get("launchPermission") or {}
    if any(group != "all" for group in permission.get("userGroups") or ()):
        yield f"{at}.launchPermission.userGroups", "The only group is all."
    if repeated := _repeated(ami.get("targetAccountIds") or ()):
        yield f"{at}.targetAccountIds", f"The account {repeated} is listed twice."


def target_accounts(target: Mapping[str, Any], *, account: str) -> list[str]:
    """Return the accounts that own a copy in a target's Region: the one that builds, and those that are listed.

    The page says that without a list the AMI goes "only to your own account", so with one it goes there too.
    https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_AmiDistributionConfiguration.html
    """
    listed = (target.get("amiDistributionConfiguration") or {}).get("targetAccountIds") or ()
    return [account, *(found for found in listed if found != account)]


def _parameter_faults(target: Mapping[str, Any], at: str, account: str) -> Iterator[Fault]:
    owners = target_accounts(target, account=account)
    for member, key in (
        ("ssmParameterConfigurations", "amiAccountId"),
        ("launchTemplateConfigurations", "accountId"),
        ("fastLaunchConfigurations", "accountId"),
    ):
        for index, found in enumerate(target.get(member) or ()):
            owner = found.get(key) or account
            if owner not in owners:
                yield f"{at}.{member}[{index}].{key}", f"The account {owner} is no target account of this Region."
    parameters = target.get("ssmParameterConfigurations") or ()
    if repeated := _repeated([(found.get("parameterName"), found.get("amiAccountId")) for found in parameters]):
        yield f"{at}.ssmParameterConfigurations", f"The parameter '{repeated[0]}' is listed twice."


def schedule_faults(schedule: Mapping[str, Any]) -> Iterator[Fault]:
    """Check the schedule of a pipeline."""
    expression = schedule.get("scheduleExpression")
    if expression is None:
        yield "schedule.scheduleExpression", "A schedule needs an expression."
    elif fault := schedules.schedule_fault(expression):
        yield "schedule.scheduleExpression", f"The expression '{expression}' cannot be read: {fault}."
    zone = schedule.get("timezone")
    if zone is not None and (fault := schedules.timezone_fault(zone)):
        yield "schedule.timezone", f"{fault}."


def execution_faults(request: Mapping[str, Any]) -> Iterator[Fault]:
    """Check what pipelines and images share: workflows, role, tests and logs."""
    if request.get("workflows") and not request.get("executionRole"):
        yield "executionRole", "Workflows need an execution role."
    yield from _workflow_faults(request.get("workflows") or ())
    for key, group in (request.get("loggingConfiguration") or {}).items():
        if not str(group).startswith(IMAGE_BUILDER_LOG_PREFIX) and not request.get("executionRole"):
            yield (
                f"loggingConfiguration.{key}",
                f"A log group outside {IMAGE_BUILDER_LOG_PREFIX} needs an execution role.",
            )


def _workflow_faults(workflows: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    if len(workflows) > WORKFLOWS_MAX:
        yield "workflows", f"An image has at most {WORKFLOWS_MAX} workflows."
    kinds: Counter[str] = Counter()
    for index, workflow in enumerate(workflows):
        found = arns.parse(workflow["workflowArn"])
        kind = "" if found is None else found.kind
        kinds[kind] += 1
        for name in ("onFailure", "parallelGroup"):
            if workflow.get(name) and kind != "workflow/test":
                yield f"workflows[{index}].{name}", f"Only a test workflow can have {name}."
        if kind != "workflow/test" and kinds[kind] > 1:
            yield f"workflows[{index}].workflowArn", f"An image has at most one workflow of the kind {kind}."


def scanning_faults(request: Mapping[str, Any]) -> Iterator[Fault]:
    """Check how images are scanned.

    https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_ImageScanningConfiguration.html
    """
    scanning = request.get("imageScanningConfiguration") or {}
    at = "imageScanningConfiguration"
    tests = (request.get("imageTestsConfiguration") or {}).get("imageTestsEnabled") is not False
    if scanning.get("imageScanningEnabled") and not tests:
        yield f"{at}.imageScanningEnabled", "Image scanning needs image tests to be enabled."
    if scanning.get("scanResultCondition") and scanning.get("imageScanningTypes") != ["ON_DEMAND_AMI_CVE"]:
        yield f"{at}.scanResultCondition", "A condition goes with the scan type ON_DEMAND_AMI_CVE only."
    if scanning.get("ecrConfiguration"):
        yield f"{at}.ecrConfiguration", "Repositories belong to container images."


def lifecycle_faults(request: Mapping[str, Any]) -> Iterator[Fault]:
    """Check a lifecycle policy.

    https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_LifecyclePolicyDetail.html
    """
    details = request.get("policyDetails") or ()
    containers = request.get("resourceType") == "CONTAINER_IMAGE"
    actions = Counter(detail["action"]["type"] for detail in details)
    for index, detail in enumerate(details):
        at = f"policyDetails[{index}]"
        action = detail["action"]["type"]
        if actions[action] > 1:
            yield at, f"A policy has at most one rule with the action {action}."
        if containers and action != "DELETE":
            yield f"{at}.action.type", "Container images can be deleted only."
        yield from _included_faults(detail, f"{at}.action.includeResources", containers=containers)
        yield from _filter_faults(detail, f"{at}.filter")
    selection = request.get("resourceSelection") or {}
    if bool(selection.get("recipes")) == bool(selection.get("tagMap")):
        yield "resourceSelection", "Select by recipes or by tags, and by one of them only."
    for index, recipe in enumerate(selection.get("recipes") or ()):
        if fault := arns.version_fault(recipe["semanticVersion"]):
            yield f"resourceSelection.recipes[{index}].semanticVersion", f"{fault}."


_ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    "AVAILABLE": frozenset({"DEPRECATED", "DISABLED"}),
    "DEPRECATED": frozenset({"AVAILABLE"}),
    "DISABLED": frozenset({"AVAILABLE", "DEPRECATED"}),
    "DELETED": frozenset({"AVAILABLE", "DEPRECATED", "DISABLED", "FAILED", "CANCELLED"}),
}
"""States from which an image comes into each state.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-lifecycle-rules.html, read 2026-11-28"""


def state_faults(request: Mapping[str, Any], status: str, *, now: datetime) -> Iterator[str]:
    """Check a change of the state of an image that has ``status``.

    https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_StartResourceStateUpdate.html, read 2026-11-28
    """
    wanted = str((request.get("state") or {}).get("status"))
    if wanted not in _ALLOWED:
        yield f"state.status must be one of {', '.join(_ALLOWED)}."
        return
    if status not in _ALLOWED[wanted]:
        yield f"An image with the status {status} cannot become {wanted}."
    included = request.get("includeResources") or {}
    named = [name for name in ("amis", "snapshots", "containers") if included.get(name)]
    if bool(named) != bool(request.get("executionRole")):
        yield "executionRole and includeResources are given together or not at all."
    if "containers" in named:
        yield "containers belong to container images."
    if "snapshots" in named and (wanted != "DELETED" or "amis" not in named):
        yield "snapshots can be included in DELETED only, together with amis."
    if wanted == "DELETED" and not named:
        yield "To delete an image, include its resources; DeleteImage deletes the image resource alone."
    due = moment(request.get("updateAt"))
    if due is not None and wanted != "DEPRECATED":
        yield "updateAt goes with the status DEPRECATED only."
    if due is not None and due <= now:
        yield "updateAt must be in the future."


def moment(value: Any) -> datetime | None:
    """Return the time that a request gives as a number of seconds, a text or a time; None where it gives none."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        found = datetime.fromisoformat(value)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(value), tz=UTC)


def _included_faults(detail: Mapping[str, Any], at: str, *, containers: bool) -> Iterator[Fault]:
    action = detail["action"]["type"]
    included = detail["action"].get("includeResources") or {}
    if included.get("snapshots") and action != "DELETE":
        yield f"{at}.snapshots", f"Snapshots cannot be included in the action {action}."
    if included.get("snapshots") and not included.get("amis"):
        yield f"{at}.snapshots", "Snapshots can be included together with AMIs only."
    if included.get("containers") and not containers:
        yield f"{at}.containers", "Containers belong to policies for container images."
    if included.get("amis") and containers:
        yield f"{at}.amis", "AMIs belong to policies for AMI images."


def _filter_faults(detail: Mapping[str, Any], at: str) -> Iterator[Fault]:
    found = detail["filter"]
    if found["type"] == "COUNT":
        if detail["action"]["type"] != "DELETE":
            yield f"{at}.type", "COUNT goes with the action DELETE only."
        for key in ("unit", "retainAtLeast"):
            if found.get(key) is not None:
                yield f"{at}.{key}", f"{key} goes with the type AGE only."
    elif found.get("unit") is None:
        yield f"{at}.unit", "AGE needs a unit."


def _repeated(items: Sequence[Any]) -> Any:
    return next((item for item, count in Counter(items).items() if count > 1), None)
