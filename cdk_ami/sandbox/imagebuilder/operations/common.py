"""What operations share: dry runs, pages, filters and look-ups of versioned resources."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder import arns, managed
from cdk_ami.sandbox.imagebuilder.errors import (
    ImageBuilderError,
    dry_run_passed,
    has_dependents,
    invalid_combination,
    invalid_value,
)
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.records import Record

Operation = Callable[[ImageBuilderBackend, dict[str, Any]], dict[str, Any]]

PAGE_SIZE: Final = 25
"""Items of a page when the caller asks for no number."""


def refuse(faults: Iterable[tuple[str, str]]) -> None:
    """Raise the first of the faults, if there is one."""
    for parameter, why in faults:
        raise invalid_value(parameter, why)


def stop_dry_run(request: Mapping[str, Any]) -> None:
    """End a dry run, in which everything was found right."""
    if request.get("dryRun"):
        raise dry_run_passed()


def paged(request: Mapping[str, Any], key: str, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the page that the request asks for, under ``key``."""
    start = _offset(request.get("nextToken"), len(items))
    end = start + int(request.get("maxResults") or PAGE_SIZE)
    answer: dict[str, Any] = {key: list(items[start:end])}
    if end < len(items):
        answer["nextToken"] = base64.b64encode(f"from-{end}".encode()).decode()
    return answer


def _offset(token: str | None, size: int) -> int:
    if token is None:
        return 0
    try:
        text = base64.b64decode(token, validate=True).decode()
        offset = int(text.removeprefix("from-"))
    except (binascii.Error, ValueError) as error:
        raise _bad_token() from error
    if not text.startswith("from-") or not 0 < offset <= size:
        raise _bad_token()
    return offset


def _bad_token() -> ImageBuilderError:
    return ImageBuilderError("InvalidPaginationTokenException", "The pagination token is not valid.")


def filtered(
    request: Mapping[str, Any], items: Iterable[dict[str, Any]], members: Mapping[str, Callable[[dict[str, Any]], Any]]
) -> list[dict[str, Any]]:
    """Return the items that meet every filter of the request; ``members`` are the filters that exist."""
    kept = list(items)
    for index, asked in enumerate(request.get("filters") or ()):
        read = members.get(str(asked.get("name")))
        if read is None:
            raise invalid_value(f"filters[{index}].name", f"The filters are {', '.join(sorted(members))}.")
        values = asked.get("values") or []
        kept = [item for item in kept if _meets(read(item), values)]
    return kept


def _meets(found: Any, values: Sequence[str]) -> bool:
    return any(str(item) in values for item in (found if isinstance(found, list) else [found]))


def member(name: str) -> Callable[[dict[str, Any]], Any]:
    """Return the filter that compares a member of the item."""
    return lambda item: item.get(name)


def owned(backend: ImageBuilderBackend, request: Mapping[str, Any], kind: str) -> list[Record]:
    """Return the resources of a kind, or of kinds that start with it, by the owner the request asks for."""
    owner = request.get("owner") or "Self"
    known: Iterable[Record] = ()
    if owner == "Self":
        known = backend.own.values()
    elif owner == "Amazon":
        known = managed.records(backend.region_name).values()
    return [record for record in known if record.parsed.kind == kind or record.parsed.kind.startswith(f"{kind}/")]


def versions(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Return one entry for each version, made from its newest build and without the build in its ARN."""
    newest: dict[str, Record] = {}
    for record in records:
        key = record.arn.rpartition("/")[0]
        if key not in newest or (record.parsed.build or 0) > (newest[key].parsed.build or 0):
            newest[key] = record
    return [{**record.shown(), "arn": key, "version": record.parsed.version} for key, record in newest.items()]


def by_name(request: Mapping[str, Any], items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the newest version of each name where the request asks for it, else all the items."""
    if not request.get("byName"):
        return list(items)
    if any(asked.get("name") == "version" for asked in request.get("filters") or ()):
        raise invalid_combination("byName cannot be combined with the version filter.")
    newest: dict[str, dict[str, Any]] = {}
    for item in items:
        key = item["arn"].rpartition("/")[0]
        if key not in newest or arns.nodes(item["version"]) > arns.nodes(newest[key]["version"]):
            newest[key] = item
    return list(newest.values())


def with_references(answer: dict[str, Any], arn: str) -> dict[str, Any]:
    """Return the answer with the ARNs by which callers follow the newest versions of ``arn``."""
    return {**answer, "latestVersionReferences": arns.references(arn)}


def delete(backend: ImageBuilderBackend, member_name: str, arn: str) -> dict[str, Any]:
    """Delete what nothing refers to, by its exact ARN."""
    record = backend.get(arn)
    users = list(backend.users_of(record.arn)) if record.arn in backend.own else []
    if users:
        raise has_dependents(arn, users)
    if backend.own.pop(record.arn, None) is None:
        raise ImageBuilderError("ForbiddenException", f"The resource '{arn}' belongs to Amazon.")
    return {member_name: arn}


def existing_builds(backend: ImageBuilderBackend, kind: str, name: str, version: str) -> Iterator[Record]:
    """Yield the builds of one version, oldest first."""
    prefix = f"{backend.arn(kind, name, version)}/"
    return (record for record in backend.own.values() if record.arn.startswith(prefix))
