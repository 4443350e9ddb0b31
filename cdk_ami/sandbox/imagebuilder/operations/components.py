"""Components: documents with versions, where new content of the same version makes a new build version."""

from __future__ import annotations

from typing import Any, Final

from cdk_ami.sandbox.imagebuilder import arns, documents
from cdk_ami.sandbox.imagebuilder.errors import (
    ImageBuilderError,
    already_exists,
    invalid_combination,
    invalid_value,
    not_found,
)
from cdk_ami.sandbox.imagebuilder.lookups import read_document
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.operations.common import (
    Operation,
    by_name,
    delete,
    existing_builds,
    filtered,
    member,
    owned,
    paged,
    stop_dry_run,
    versions,
    with_references,
)
from cdk_ami.sandbox.imagebuilder.records import Record, present, timestamp

DOCUMENT_MAX_BYTES: Final = 64 * 1024
"""Largest document that is read from S3, by default.
https://docs.aws.amazon.com/general/latest/gr/imagebuilder.html, read 2026-11-22"""


def create_component(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Create a component, or the next build version of one."""
    return _create(backend, request, checked_document(backend, request))


def import_component(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Create a component of one step that runs a script."""
    text = documents.of_script(
        checked_document(backend, request),
        name=request["name"],
        phase="test" if request["type"] == "TEST" else "build",
        platform=request["platform"],
    )
    answer = _create(backend, request, text)
    return {"componentBuildVersionArn": answer["componentBuildVersionArn"]}


def _create(backend: ImageBuilderBackend, request: dict[str, Any], text: str) -> dict[str, Any]:
    name, version = request["name"], request["semanticVersion"]
    try:
        document = documents.read_component(text, platform=request["platform"])
    except documents.DocumentError as error:
        raise invalid_value("data" if "data" in request else "uri", f"{error}.") from error
    builds = list(existing_builds(backend, "component", name, version))
    build = next_build(builds, text, "Component")
    stop_dry_run(request)
    body = present(
        {
            "name": name,
            "version": version,
            "description": request.get("description"),
            "changeDescription": request.get("changeDescription"),
            "type": document.component_type,
            "platform": request["platform"],
            "supportedOsVersions": request.get("supportedOsVersions"),
            "state": {"status": "ACTIVE"},
            "status": "ACTIVE",
            "parameters": _shown_parameters(document),
            "owner": backend.account_id,
            "data": text,
            "kmsKeyId": request.get("kmsKeyId"),
            "encrypted": True,
            "dateCreated": timestamp(),
        }
    )
    arn = backend.arn("component", name, version, build)
    backend.own[arn] = Record(arn=arn, body=body, tags=dict(request.get("tags") or {}), document=document)
    return with_references({"componentBuildVersionArn": arn}, arn)


def checked_document(backend: ImageBuilderBackend, request: dict[str, Any]) -> str:
    """Return the document of a component or workflow after what both have in common was checked."""
    if ("data" in request) == ("uri" in request):
        raise invalid_combination("Specify exactly one of data and uri.")
    if fault := arns.version_fault(request["semanticVersion"]):
        raise ImageBuilderError("InvalidVersionNumberException", f"The version is not valid: {fault}.")
    text = read_document(backend, request)
    if len(text.encode()) > DOCUMENT_MAX_BYTES:
        raise invalid_value("uri", f"The document is larger than {DOCUMENT_MAX_BYTES} bytes.")
    return text


def next_build(builds: list[Record], text: str, kind: str) -> int:
    """Return the number of the next build version; content identical to the newest one is refused."""
    if not builds:
        return 1
    if builds[-1].body["data"] == text:
        raise already_exists(kind, builds[-1].arn)
    return (builds[-1].parsed.build or 0) + 1


def _shown_parameters(document: documents.Document) -> list[dict[str, Any]] | None:
    kinds = {"string": "String", "integer": "Integer", "boolean": "Boolean", "stringList": "StringList"}
    shown = [
        present(
            {
                "name": parameter.name,
                "type": kinds[parameter.kind],
                "defaultValue": None if parameter.default is None else list(parameter.default),
                "description": parameter.description or None,
            }
        )
        for parameter in document.parameters
    ]
    return shown or None


def get_component(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with the component that an ARN names, the newest where it leaves a choice."""
    record = backend.get(request["componentBuildVersionArn"])
    return with_references({"component": record.shown()}, record.arn)


def get_component_policy(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Answer that there is no policy: the sandbox shares no components."""
    raise not_found(backend.get(request["componentArn"]).arn + " policy")


def list_components(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List component versions."""
    found = by_name(request, filtered(request, versions(owned(backend, request, "component")), _FILTERS))
    return paged(request, "componentVersionList", found)


_FILTERS: Final = {
    "description": member("description"),
    "name": member("name"),
    "platform": member("platform"),
    "productCodes": member("productCodes"),
    "status": member("status"),
    "supportedOsVersion": member("supportedOsVersions"),
    "type": member("type"),
    "version": member("version"),
}


def list_component_build_versions(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List the builds of one component version, or all builds."""
    return paged(request, "componentSummaryList", builds_of(backend, "component", request.get("componentVersionArn")))


def builds_of(backend: ImageBuilderBackend, kind: str, version_arn: str | None) -> list[dict[str, Any]]:
    """Return the builds of the version that an ARN names, newest first; all the account's builds without one."""
    if version_arn is None:
        return [record.shown() for record in owned(backend, {}, kind)]
    newest = backend.get(version_arn)
    prefix = f"{newest.arn.rpartition('/')[0]}/"
    account = "Amazon" if newest.parsed.account == arns.MANAGED else "Self"
    found = [record for record in owned(backend, {"owner": account}, kind) if record.arn.startswith(prefix)]
    return [record.shown() for record in reversed(found)]


def delete_component(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Delete one build version of a component that no recipe needs."""
    return delete(backend, "componentBuildVersionArn", request["componentBuildVersionArn"])


OPERATIONS: Final[dict[str, Operation]] = {
    "CreateComponent": create_component,
    "ImportComponent": import_component,
    "GetComponent": get_component,
    "GetComponentPolicy": get_component_policy,
    "ListComponents": list_components,
    "ListComponentBuildVersions": list_component_build_versions,
    "DeleteComponent": delete_component,
}
