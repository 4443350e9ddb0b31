"""Infrastructure and distribution configurations: how images are built and where they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder import lookups, validation
from cdk_ami.sandbox.imagebuilder.errors import already_exists, not_in_sandbox
from cdk_ami.sandbox.imagebuilder.models import REGIONS, ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.operations.common import (
    Operation,
    delete,
    filtered,
    member,
    paged,
    refuse,
    stop_dry_run,
)
from cdk_ami.sandbox.imagebuilder.records import Record, present, timestamp

_NAME_FILTER: Final = {"name": member("name")}


def create_infrastructure_configuration(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Create an infrastructure configuration."""
    arn = backend.arn("infrastructure-configuration", request["name"])
    if arn in backend.own:
        raise already_exists("InfrastructureConfiguration", arn)
    _check_infrastructure(backend, request)
    stop_dry_run(request)
    body = {"name": request["name"], "dateCreated": timestamp(), **_infrastructure(request)}
    backend.own[arn] = Record(arn=arn, body=body, tags=dict(request.get("tags") or {}))
    return {"infrastructureConfigurationArn": arn}


def update_infrastructure_configuration(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Replace everything but name and tags."""
    record = backend.get(request["infrastructureConfigurationArn"])
    _check_infrastructure(backend, request)
    kept = {"name": record.body["name"], "dateCreated": record.body["dateCreated"], "dateUpdated": timestamp()}
    record.body = {**kept, **_infrastructure(request)}
    return {"infrastructureConfigurationArn": record.arn}


def _check_infrastructure(backend: ImageBuilderBackend, request: Mapping[str, Any]) -> None:
    if request.get("parentInstance"):
        raise not_in_sandbox("parentInstance of an infrastructure configuration")
    refuse(validation.infrastructure_faults(request))
    lookups.check_instance_profile(backend, request["instanceProfileName"])
    if request.get("keyPair"):
        lookups.check_key_pair(backend, request["keyPair"])
    if request.get("snsTopicArn"):
        lookups.check_topic(backend, request["snsTopicArn"])


def _infrastructure(request: Mapping[str, Any]) -> dict[str, Any]:
    members = (
        "description",
        "instanceTypes",
        "instanceProfileName",
        "securityGroupIds",
        "subnetId",
        "logging",
        "keyPair",
        "snsTopicArn",
        "resourceTags",
        "instanceMetadataOptions",
        "placement",
    )
    defaults = {
        name: request.get(name) is not False for name in ("terminateInstanceOnFailure", "terminateInstanceOnCompletion")
    }
    return {**present({name: request.get(name) for name in members}), **defaults}


def get_infrastructure_configuration(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with an infrastructure configuration."""
    return {"infrastructureConfiguration": backend.get(request["infrastructureConfigurationArn"]).shown()}


def list_infrastructure_configurations(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List infrastructure configurations."""
    shown = [record.shown() for record in backend.kind("infrastructure-configuration")]
    return paged(request, "infrastructureConfigurationSummaryList", filtered(request, shown, _NAME_FILTER))


def delete_infrastructure_configuration(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Delete an infrastructure configuration that no pipeline uses."""
    return delete(backend, "infrastructureConfigurationArn", request["infrastructureConfigurationArn"])


def create_distribution_configuration(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Create a distribution configuration."""
    arn = backend.arn("distribution-configuration", request["name"])
    if arn in backend.own:
        raise already_exists("DistributionConfiguration", arn)
    _check_distribution(backend, request)
    stop_dry_run(request)
    body = {"name": request["name"], "dateCreated": timestamp(), **_distribution(request)}
    backend.own[arn] = Record(arn=arn, body=body, tags=dict(request.get("tags") or {}))
    return {"distributionConfigurationArn": arn}


def update_distribution_configuration(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Replace everything but name and tags."""
    record = backend.get(request["distributionConfigurationArn"])
    _check_distribution(backend, request)
    kept = {"name": record.body["name"], "dateCreated": record.body["dateCreated"], "dateUpdated": timestamp()}
    record.body = {**kept, **_distribution(request)}
    return {"distributionConfigurationArn": record.arn}


def _check_distribution(backend: ImageBuilderBackend, request: Mapping[str, Any]) -> None:
    targets = request["distributions"]
    account = backend.account_id
    refuse(validation.distribution_faults(targets, account=account, regions=frozenset(REGIONS)))
    for index, target in enumerate(targets):
        for name in validation.NOT_IN_SANDBOX:
            if target.get(name):
                raise not_in_sandbox(f"distributions[{index}].{name}")
        for number, template in enumerate(target.get("launchTemplateConfigurations") or ()):
            if template.get("accountId") in (None, account):
                at = f"distributions[{index}].launchTemplateConfigurations[{number}].launchTemplateId"
                lookups.check_launch_template(backend, target["region"], template["launchTemplateId"], at)


def _distribution(request: Mapping[str, Any]) -> dict[str, Any]:
    return present(
        {
            "description": request.get("description"),
            "distributions": request["distributions"],
            "timeoutMinutes": 360,
        }
    )


def get_distribution_configuration(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with a distribution configuration."""
    return {"distributionConfiguration": backend.get(request["distributionConfigurationArn"]).shown()}


def list_distribution_configurations(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List distribution configurations."""
    shown = [
        {**record.shown(), "regions": [target["region"] for target in record.body["distributions"]]}
        for record in backend.kind("distribution-configuration")
    ]
    return paged(request, "distributionConfigurationSummaryList", filtered(request, shown, _NAME_FILTER))


def delete_distribution_configuration(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Delete a distribution configuration that no pipeline uses."""
    return delete(backend, "distributionConfigurationArn", request["distributionConfigurationArn"])


OPERATIONS: Final[dict[str, Operation]] = {
    "CreateInfrastructureConfiguration": create_infrastructure_configuration,
    "UpdateInfrastructureConfiguration": update_infrastructure_configuration,
    "GetInfrastructureConfiguration": get_infrastructure_configuration,
    "ListInfrastructureConfigurations": list_infrastructure_configurations,
    "DeleteInfrastructureConfiguration": delete_infrastructure_configuration,
    "CreateDistributionConfiguration": create_distribution_configuration,
    "UpdateDistributionConfiguration": update_distribution_configuration,
    "GetDistributionConfiguration": get_distribution_configuration,
    "ListDistributionConfigurations": list_distribution_configurations,
    "DeleteDistributionConfiguration": delete_distribution_configuration,
}
