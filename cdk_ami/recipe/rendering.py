"""Makes the resource of a component, once in each stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary

from aws_cdk import Annotations, Stack
from aws_cdk import aws_imagebuilder as imagebuilder

from cdk_ami.checks import components as rules
from cdk_ami.checks.rule import is_token
from cdk_ami.home import name_of
from cdk_ami.naming import pascal, scoped_name
from cdk_ami.recipe.long_documents import Settled, is_long, settle

if TYPE_CHECKING:
    from aws_cdk import aws_s3_assets as s3_assets
    from constructs import Construct

    from cdk_ami.errors import Faults
    from cdk_ami.recipe.component import Component
    from cdk_ami.source.platform import Platform


VERSION: Final = "1.0.0"
"""The version of every component: new content makes the service count its build version.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/ibhow-semantic-versioning.html"""


class RenderedComponent(NamedTuple):
    """A component's resource.

    Attributes:
        resource: The resource.
        assets: What a build reads from S3: a document that is too long to stand in the template, and files.
        parameters: What a recipe must set, because a document in S3 cannot hold what only the deployment knows.
    """

    resource: imagebuilder.CfnComponent
    assets: tuple[s3_assets.Asset, ...] = ()
    parameters: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class _Made(NamedTuple):
    description: str
    platform: str
    rendered: RenderedComponent


# By stack: the components made in it, by the id of each.  A look into the construct tree would cost a call for each.
_MADE: Final[WeakKeyDictionary[Stack, dict[str, _Made]]] = WeakKeyDictionary()


def render_component(scope: Construct, stack: Stack, component: Component, *, platform: Platform) -> RenderedComponent:
    """Return the resource of ``component``, checked before, in ``stack``, made now for ``scope`` unless it is there."""
    resource_id = _resource_id(component)
    made = _MADE.setdefault(stack, {})
    if resource_id in made:
        return made[resource_id].rendered
    for warning in component.document.warnings if component.document else ():
        Annotations.of(scope).add_warning_v2(
            warning.warning_id, f"{component.path or component.name}: {warning.message}"
        )
    text, assets = component.data, []
    for archive in component.archives:
        asset = _uploaded(stack, f"{resource_id}Files", f"files{archive.suffix}", archive.write)
        assets.append(asset)
        text = text.replace(archive.placeholder, asset.s3_object_url)
    settled = Settled(text, {}, left=False)
    document = None
    if is_long(text):
        settled = settle(text)
        document = _uploaded(stack, f"{resource_id}Document", "document.yaml", _writing(settled.text))
        assets.append(document)
    resource = imagebuilder.CfnComponent(
        stack,
        resource_id,
        name=_name(stack, component.name),
        version=VERSION,
        platform=platform.value,
        description=component.description,
        data=text if document is None else None,
        uri=None if document is None else document.s3_object_url,
        supported_os_versions=list(component.supported_os) or None,
    )
    rendered = RenderedComponent(resource=resource, assets=tuple(assets), parameters=settled.parameters)
    made[resource_id] = _Made(description=component.description, platform=platform.value, rendered=rendered)
    return rendered


def _name(stack: Stack, name: str) -> str:
    # A nested stack's name is known to the deployment only; its path is as unique.
    owner = name_of(stack)
    return scoped_name(stack.node.path if is_token(owner) else owner, name)


def _uploaded(stack: Stack, asset_id: str, name: str, write: Callable[[Path], None]) -> s3_assets.Asset:
    """Return the asset of a file that ``write`` makes; the CDK takes its copy at once."""
    from aws_cdk import aws_s3_assets as s3_assets  # noqa: PLC0415 - costly, and most components upload nothing

    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        write(path)
        return s3_assets.Asset(stack, asset_id, path=str(path))


def _writing(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(text, encoding="utf-8", newline="\n")

    return write


def find_faults_of_text(faults: Faults, component: Component, *, prop: str) -> None:
    """Record in ``faults`` that what only the deployment knows stands where a document in S3 cannot take it."""
    if is_long(component.data):
        faults.check(prop, rules.long_document(left=settle(component.data).left))


def find_faults_of_name(faults: Faults, stack: Stack, component: Component, *, platform: Platform, prop: str) -> None:
    """Record in ``faults`` that another component has the name of ``component`` in ``stack``."""
    there = _MADE.get(stack, {}).get(_resource_id(component))
    if there is None:
        return
    same_content = there.description == component.description
    if same_content and there.platform == platform.value:
        return
    faults.add(
        prop,
        f"is made for {there.platform} elsewhere in the stack"
        if same_content
        else "has another content elsewhere in the stack",
        got=str(component.path or component.name),
        fix="rename one of them",
    )


def _resource_id(component: Component) -> str:
    return f"Component{pascal(component.name)}"
