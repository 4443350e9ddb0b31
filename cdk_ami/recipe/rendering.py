"""Makes the resource of a component, once in each stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from aws_cdk import Annotations, Stack
from aws_cdk import aws_imagebuilder as imagebuilder

from cdk_ami.checks.rule import is_token
from cdk_ami.limits import INLINE_DOCUMENT_MAX_CHARS
from cdk_ami.naming import pascal, scoped_name

if TYPE_CHECKING:
    from aws_cdk import aws_s3_assets as s3_assets
    from constructs import Construct

    from cdk_ami.errors import Faults
    from cdk_ami.recipe.component import Component
    from cdk_ami.source.platform import Platform


VERSION: Final = "1.0.0"
"""The version of every component: new content makes the service count its build version.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/ibhow-semantic-versioning.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedComponent:
    """A component's resource.

    Attributes:
        resource: The resource.
        assets: The file that its document is read from, when it is too long to stand in the template.
    """

    resource: imagebuilder.CfnComponent
    assets: tuple[s3_assets.Asset, ...] = ()


def render_component(scope: Construct, component: Component, *, platform: Platform) -> RenderedComponent:
    """Return the resource of ``component``, checked before, in the stack of ``scope``, made now unless it is there."""
    stack = Stack.of(scope)
    resource_id = _resource_id(component)
    there = stack.node.try_find_child(resource_id)
    if there is not None:
        resource = cast("imagebuilder.CfnComponent", there)
        asset = stack.node.try_find_child(f"{resource_id}Document")
        return RenderedComponent(resource=resource, assets=() if asset is None else (cast("s3_assets.Asset", asset),))
    for warning in component.document.warnings if component.document else ():
        Annotations.of(scope).add_warning_v2(
            warning.warning_id, f"{component.path or component.name}: {warning.message}"
        )
    asset = _asset(stack, f"{resource_id}Document", component)
    resource = imagebuilder.CfnComponent(
        stack,
        resource_id,
        name=_name(stack, component.name),
        version=VERSION,
        platform=platform.value,
        description=component.description,
        data=component.data if asset is None else None,
        uri=None if asset is None else asset.s3_object_url,
        supported_os_versions=list(component.supported_os) or None,
    )
    return RenderedComponent(resource=resource, assets=() if asset is None else (asset,))


def _name(stack: Stack, name: str) -> str:
    # A nested stack's name is known to the deployment only; its path is as unique.
    owner = stack.stack_name
    return scoped_name(stack.node.path if is_token(owner) else owner, name)


def _asset(stack: Stack, asset_id: str, component: Component) -> s3_assets.Asset | None:
    if component.path is None or len(component.data) <= INLINE_DOCUMENT_MAX_CHARS:
        return None
    from aws_cdk import aws_s3_assets as s3_assets  # noqa: PLC0415 - costly, and long documents are rare

    return s3_assets.Asset(stack, asset_id, path=str(component.path))


def find_faults_of_name(
    faults: Faults, scope: Construct, component: Component, *, platform: Platform, prop: str
) -> None:
    """Record in ``faults`` that another component has the name of ``component`` in the stack of ``scope``."""
    stack = scope if isinstance(scope, Stack) else Stack.of(scope)
    there = stack.node.try_find_child(_resource_id(component))
    if there is None:
        return
    # The id belongs to this module: nothing else makes children of a stack with this prefix and type.
    resource = cast("imagebuilder.CfnComponent", there)
    same_content = resource.description == component.description
    if same_content and resource.platform == platform.value:
        return
    faults.add(
        prop,
        f"is made for {resource.platform} elsewhere in the stack"
        if same_content
        else "has another content elsewhere in the stack",
        got=str(component.path or component.name),
        fix="rename one of them",
    )


def _resource_id(component: Component) -> str:
    return f"Component{pascal(component.name)}"
