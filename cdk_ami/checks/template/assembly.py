"""Templates as they lie on a disk: files, and what `cdk synth` leaves in a directory.

A cloud assembly says more than its templates: where each is deployed, what is acknowledged in the app, which AMIs wait
for a look-up.  https://docs.aws.amazon.com/cdk/v2/guide/deploy.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from cdk_ami.checks.template.engine import Acknowledgement
from cdk_ami.checks.template.loading import TemplateError, is_template, parse_template
from cdk_ami.checks.template.places import Place
from cdk_ami.checks.template.values import Environment
from cdk_ami.limits import LOOKED_UP_AMI

MANIFEST: Final = "manifest.json"
CONTEXT: Final = "cdk.context.json"
_SUFFIXES: Final = (".json", ".template", ".yaml", ".yml")
_ACKNOWLEDGED: Final = "aws:cdk:acknowledged-rules"
_ENVIRONMENT: Final = re.compile(r"aws://(?P<account>[^/]+)/(?P<region>.+)")


class Source(NamedTuple):
    """A template on a disk, and what lies beside it.

    Attributes:
        path: Its file.
        text: What the file holds.
        body: The template as plain data.
        environment: Where it is deployed, as far as its assembly says.
        acknowledgements: What the app acknowledges.
    """

    path: Path
    text: str
    body: Mapping[str, Any]
    environment: Environment = Environment()
    acknowledgements: tuple[Acknowledgement, ...] = ()


def sources_in(path: Path) -> Iterator[Source]:
    """Yield the templates of a file or a directory, in the order of their names.

    Raises:
        TemplateError: When a file that was named is no template; files that a directory holds besides are left out.
    """
    if not path.is_dir():
        yield _named(path)
        return
    manifest = _manifest(path)
    for file in sorted(path.rglob("*")):
        if (
            file.suffix not in _SUFFIXES
            or not file.is_file()
            or any(part.startswith("asset.") for part in file.relative_to(path).parts)
        ):
            continue
        # An assembly of the CDK holds other JSON as well, and names its templates.
        if manifest is not None and not file.name.endswith((".template.json", ".template.yaml")):
            continue
        try:
            yield _named(file)
        except TemplateError:
            if manifest is not None:
                raise


def unowned_lookups(context: Mapping[str, Any]) -> dict[str, str]:
    """Return the AMI ids that the CDK has looked up without an owner, each with the look-up's key.

    Args:
        context: What ``cdk.context.json`` holds, or an app's context.
    """
    return {
        value: key
        for key, value in context.items()
        if key.startswith("ami:") and isinstance(value, str) and ":owners." not in key
    }


def beside(template: Path) -> tuple[Environment, tuple[Acknowledgement, ...]]:
    """Return what a template's assembly says of it: where it is deployed, and what is acknowledged."""
    manifest = _manifest(template.parent)
    if manifest is None:
        return Environment(), ()
    artifacts = manifest.get("artifacts")
    for name in artifacts.names():
        artifact = artifacts.get(name)
        if artifact.at("properties.templateFile").partial == template.name:
            place = _ENVIRONMENT.fullmatch(artifact.get("environment").partial)
            account, region = (place["account"], place["region"]) if place else (None, None)
            environment = Environment(
                region=None if region == "unknown-region" else region,
                account=None if account == "unknown-account" else account,
                unowned=_waiting(manifest),
            )
            return environment, tuple(_acknowledged(artifact, template.parent))
    return Environment(unowned=_waiting(manifest)), ()


def _named(path: Path) -> Source:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path} cannot be read: {error}") from error
    try:
        body = parse_template(text)
    except TemplateError as error:
        raise TemplateError(f"{path} {error}") from error
    if not is_template(body):
        raise TemplateError(f"{path} is no template: it has no Resources with a Type")
    environment, acknowledgements = beside(path)
    found = _context_near(path)
    if found:
        environment = environment._replace(unowned={**found, **environment.unowned})
    return Source(path, text, body, environment, acknowledgements)


def _context_near(path: Path) -> dict[str, str]:
    # `cdk synth` writes to cdk.out beside cdk.context.json.
    for folder in (path.parent, path.parent.parent):
        file = folder / CONTEXT
        if file.is_file():
            context = _json(file)
            return unowned_lookups(context) if isinstance(context, dict) else {}
    return {}


def _manifest(folder: Path) -> Place | None:
    file = folder / MANIFEST
    found = Place(_json(file), "") if file.is_file() else None
    return found if found is not None and isinstance(found.get("artifacts").raw, dict) else None


def _waiting(manifest: Place) -> dict[str, str]:
    for missing in manifest.get("missing").items():
        if missing.get("provider").text == "ami" and not missing.at("props.owners").given:
            return {LOOKED_UP_AMI: missing.get("key").partial}
    return {}


def _acknowledged(artifact: Place, folder: Path) -> Iterator[Acknowledgement]:
    file = artifact.get("additionalMetadataFile").partial or artifact.at("properties.additionalMetadataFile").partial
    more = Place(_json(folder / file) if file else None, "")
    for metadata in (artifact.get("metadata"), more):
        for path in metadata.names():
            for entry in metadata.get(path).items():
                if entry.get("type").text == _ACKNOWLEDGED:
                    data = entry.get("data")
                    for rule in data.names():
                        yield Acknowledgement(rule, data.get(rule).partial, path.removeprefix("/"))


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
