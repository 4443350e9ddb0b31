"""Rules over components as a recipe uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from cdk_ami.checks.names import IB
from cdk_ami.checks.rule import Problem, rule
from cdk_ami.limits import COMPONENTS_PER_RECIPE, INLINE_DOCUMENT_MAX_CHARS

_CREATE: Final = f"{IB}API_CreateComponent.html"
_CONFIGURATION: Final = f"{IB}API_ComponentConfiguration.html"
_VERSIONS: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/ibhow-semantic-versioning.html"
_GUIDE: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/"
_ACTIONS: Final = f"{_GUIDE}toe-action-modules.html#action-modules-reboot"
_SECRETS: Final = "https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets.html"
_VARIABLE: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_PRODUCT: Final = r"[a-z0-9][a-z0-9-]{2,62}[a-z0-9]"
_ARN: Final = (
    r"arn:aws[^:]*:imagebuilder:[^:]+:(?:[0-9]{12}|aws(?:-[a-z-]+)?|third-party):component/[a-z0-9-_]+"
    r"/(?:(?:[0-9]+|x)\.(?:[0-9]+|x)\.(?:[0-9]+|x)|[0-9]+\.[0-9]+\.[0-9]+/[0-9]+)"
)
_MANAGED_NAME: Final = r"[a-z0-9][a-z0-9-]{1,126}[a-z0-9]"
_VERSION: Final = r"(?:x\.x\.x|[0-9]+\.x\.x|[0-9]+\.[0-9]+\.x|[0-9]+\.[0-9]+\.[0-9]+(?:/[0-9]+)?)"
_NAME_MAX: Final = 128
"""Longest name of a component.  API_CreateComponent.html"""
_SUPPORTED_OS_MAX: Final = 25
"""Supported versions of one component.  API_CreateComponent.html"""
_COMMAND_PHASES: Final = ("build", "validate", "test")


@rule("ComponentName", source=_CREATE)
def component_name(name: str) -> Iterator[Problem]:
    """A component's name holds a letter or digit, and reads the same in a name of the service."""
    if not isinstance(name, str) or not re.search("[A-Za-z0-9]", name):
        yield Problem(problem="holds no letter or digit", got=name, fix="give a name such as 'apache'")
    elif len(name) > _NAME_MAX:
        yield Problem(problem=f"has {len(name)} characters", got=name, fix=f"keep it within {_NAME_MAX}")


@rule("Commands", source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html")
def commands_given(commands: Sequence[str]) -> Iterator[Problem]:
    """A component made of commands has at least one, and each is text."""
    if isinstance(commands, str):
        yield Problem(problem="is one text", got=commands, fix="give a list of commands")
        return
    if not commands:
        yield Problem(problem="is empty", got=[], fix="give at least one command")
    for index, command in enumerate(commands):
        if not isinstance(command, str) or not command.strip():
            yield Problem(problem="is no command", got=command, fix="write it as text, or drop it", at=f"[{index}]")
        elif "\0" in command:
            yield Problem(problem="holds a NUL character", got=command, fix="remove it", at=f"[{index}]")


@rule("CommandPhase", source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html")
def command_phase(phase: str) -> Iterator[Problem]:
    """Commands run in the build, validate or test phase."""
    if phase not in _COMMAND_PHASES:
        near = get_close_matches(str(phase).lower(), _COMMAND_PHASES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(_COMMAND_PHASES)}"
        yield Problem(problem="is no phase that Image Builder runs", got=phase, fix=hint)


@rule("ComponentArn", source=_CONFIGURATION)
def component_arn(arn: str) -> Iterator[Problem]:
    """A component's ARN names a version, with x from the right, or a build version."""
    if not isinstance(arn, str) or not re.fullmatch(_ARN, arn):
        yield Problem(
            problem="is no ARN of a component version",
            got=arn,
            fix="write arn:aws:imagebuilder:REGION:ACCOUNT:component/NAME/1.x.x",
        )


@rule(
    "ManagedComponentName",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/use-managed-components.html",
)
def managed_name(name: str) -> Iterator[Problem]:
    """A component that AWS manages has a normalized name."""
    if not isinstance(name, str) or not re.fullmatch(_MANAGED_NAME, name):
        yield Problem(
            problem="is no name of a component that AWS manages",
            got=name,
            fix="write it in lower case with hyphens, such as update-linux; an ARN goes to Component.from_arn",
        )


@rule("ComponentVersion", source=_VERSIONS)
def component_version(version: str) -> Iterator[Problem]:
    """A version has three nodes, and everything right of the first x is x."""
    if not isinstance(version, str) or not re.fullmatch(_VERSION, version):
        yield Problem(
            problem="is no version that Image Builder knows",
            got=version,
            fix="write three numbers, with x from the right for the newest, such as 1.x.x",
        )


@rule("LongDocument", source=f"{_CREATE}#imagebuilder-CreateComponent-request-data")
def long_document(*, left: bool) -> Iterator[Problem]:
    """A document past 16,000 characters goes through S3, and there a token stands in what a step does, or nowhere."""
    if left:
        yield Problem(
            problem=f"may be longer than {INLINE_DOCUMENT_MAX_CHARS:,} characters and holds a token outside its steps",
            got=None,
            fix="use what only the deployment knows in inputs, loops and conditions of steps alone",
        )


@rule("SecretVariable", source=_SECRETS)
def secret_variable(name: str) -> Iterator[Problem]:
    """A secret is read into an environment variable."""
    if not isinstance(name, str) or not re.fullmatch(_VARIABLE, name):
        yield Problem(
            problem="name no environment variable", got=name, fix="use letters, digits and underscores, as DB_PASSWORD"
        )


@rule("SecretSource", source=_SECRETS)
def secret_source(source: object) -> Iterator[Problem]:
    """A secret is read from Secrets Manager or from the Parameter Store, never written down."""
    if not hasattr(source, "secret_arn") and not (
        hasattr(source, "parameter_arn") and hasattr(source, "parameter_name")
    ):
        kind = type(source).__name__
        yield Problem(
            problem=f"is of the type {kind}, from which nothing can be read at run time",
            got=kind,
            fix="give a secret of Secrets Manager or a parameter of SSM, made or imported in the app",
        )


@rule("SecretUsed", source=_SECRETS)
def secrets_used(given: Sequence[str], used: Sequence[str]) -> Iterator[Problem]:
    """Some step names each secret's variable in its commands."""
    for name in given:
        if name not in used:
            yield Problem(
                problem="is named by no command", got=name, fix=f"write ${name} where it is used", at=f"[{name!r}]"
            )


@rule("RebootDelay", source=_ACTIONS)
def reboot_delay(seconds: int) -> Iterator[Problem]:
    """A restart waits for whole seconds, or not at all."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
        yield Problem(problem="is no number of seconds", got=seconds, fix="give a whole number from 0 up")


@rule("ReadyComponent", source=f"{_GUIDE}manage-components.html")
def ready_component(name: str, known: Sequence[str]) -> Iterator[Problem]:
    """A ready component is one that comes with this library."""
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"
        yield Problem(problem="is no component that comes with this library", got=name, fix=hint)


@rule("MarketplaceProduct", source=f"{_GUIDE}integ-marketplace.html")
def product_id(product: str) -> Iterator[Problem]:
    """A product of the Marketplace has an id of lower case letters, digits and hyphens."""
    if not isinstance(product, str) or not re.fullmatch(_PRODUCT, product):
        yield Problem(
            problem="is no id of a product",
            got=product,
            fix="copy it from the product's page, such as prod-abcdefgh12345 or a UUID",
        )


@rule("ComponentParameters", source=f"{IB}API_ComponentParameter.html")
def parameters_declared(given: Mapping[str, object], declared: Mapping[str, str | None]) -> Iterator[Problem]:
    """A recipe sets only parameters that the component declares, and all that have no default."""
    for name in given:
        if name not in declared:
            near = get_close_matches(name, declared, n=1)
            known = f"declared are {', '.join(declared)}" if declared else "the document declares none"
            hint = f"did you mean {near[0]!r}?" if near else f"remove it: {known}"
            yield Problem(problem="is not declared by the document", got=name, fix=hint, at=f"[{name!r}]")
    for name, default in declared.items():
        if default is None and name not in given:
            yield Problem(problem="has no default and is not given", got=None, fix="give a value", at=f"[{name!r}]")


@rule("ComponentParameterValue", source=f"{IB}API_ComponentParameter.html")
def parameter_value(value: object) -> Iterator[Problem]:
    """A component parameter is text without NUL characters."""
    texts = value if isinstance(value, list | tuple) else (value,)
    for text in texts:
        if not isinstance(text, str):
            yield Problem(problem="is no text", got=text, fix=f"write it in quotes: {str(text)!r}")
        elif "\0" in text:
            yield Problem(problem="holds a NUL character", got=text, fix="remove it")


@rule("SupportedOs", source=_CREATE)
def supported_os(versions: Sequence[str]) -> Iterator[Problem]:
    """A component supports 1 to 25 named versions of operating systems, or leaves them out."""
    if isinstance(versions, str) or not versions or len(versions) > _SUPPORTED_OS_MAX:
        yield Problem(
            problem="is no list of supported operating systems",
            got=versions,
            fix=f"list 1 to {_SUPPORTED_OS_MAX} names such as 'Amazon Linux 2023', or leave it out",
        )
        return
    for index, version in enumerate(versions):
        if not version.strip():
            yield Problem(problem="is empty", got=version, fix="name an operating system", at=f"[{index}]")


@rule("ComponentSupportsOs", source=_CREATE)
def supports_source(versions: Sequence[str], os_version: str) -> Iterator[Problem]:
    """A component is used with a source image whose operating system it supports."""
    if versions and os_version and not any(os_version.startswith(version) for version in versions):
        yield Problem(
            problem=f"does not support {os_version}", got=list(versions), fix="use another component, or another source"
        )


@rule("ComponentPlatform", source=_CREATE)
def component_platform(platform: str, image_platform: str) -> Iterator[Problem]:
    """A component runs on the operating system of the image."""
    if platform != image_platform:
        yield Problem(
            problem=f"is for {platform}, the image is {image_platform}",
            got=platform,
            fix=f"use a component for {image_platform}",
        )


@rule("ComponentsOnce", source=_CONFIGURATION)
def components_once(identities: Sequence[str]) -> Iterator[Problem]:
    """A recipe names each component once, whatever its version."""
    seen: dict[str, int] = {}
    for index, identity in enumerate(identities):
        if identity in seen:
            yield Problem(
                problem=f"is the same component as number {seen[identity]}",
                got=identity,
                fix="keep one of them: a recipe runs a component once",
                at=f"[{index}]",
            )
        seen.setdefault(identity, index)


@rule("ComponentsPerRecipe", source="https://docs.aws.amazon.com/general/latest/gr/imagebuilder.html")
def components_count(count: int) -> Iterator[Problem]:
    """A recipe has at most 20 components."""
    if count > COMPONENTS_PER_RECIPE:
        yield Problem(
            problem=f"holds {count} components", got=count, fix=f"merge some: a recipe takes {COMPONENTS_PER_RECIPE}"
        )
