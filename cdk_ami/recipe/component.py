"""Components: what is done to an image, and how it is tested."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from cdk_ami.checks import components as rules
from cdk_ami.checks import documents
from cdk_ami.checks.rule import is_list_token
from cdk_ami.errors import Faults
from cdk_ami.limits import DESCRIPTION_MAX_CHARS
from cdk_ami.naming import pascal
from cdk_ami.recipe.commands import commands_document
from cdk_ami.recipe.document import Document, parse_document, read_document
from cdk_ami.recipe.managed import is_test, platform_of
from cdk_ami.source.platform import Platform

if TYPE_CHECKING:
    from aws_cdk import Stack
    from aws_cdk import aws_imagebuilder as imagebuilder
    from aws_cdk import aws_s3_assets as s3_assets
    from constructs import Construct

Values = str | Sequence[str]
"""What a parameter may be set to."""

# A token's number depends on what else the app made before; its content does not.
_CDK_TOKEN: Final = r"\$\{Token\[[^\]]*\]\}"  # noqa: S105 - no secret


class BoundComponent(NamedTuple):
    """A component as a recipe in one stack uses it.

    Attributes:
        name: Name of the component.
        arn: ARN of the version that the recipe names; may be a token.
        parameters: What the recipe sets, by name.
        resource: The resource in the stack, or None for a component that lives elsewhere.
        assets: Files that the component's document is read from.
        has_tests: Whether something runs on an instance of the new AMI.
    """

    name: str
    arn: str
    parameters: Mapping[str, tuple[str, ...]]
    resource: imagebuilder.CfnComponent | None = None
    assets: tuple[s3_assets.Asset, ...] = ()
    has_tests: bool = False

    @property
    def identity(self) -> str:
        """Return what a recipe may name only once: the account and name of the component, without its version."""
        return _identity(self.arn)

    def configuration(self) -> imagebuilder.CfnImageRecipe.ComponentConfigurationProperty:
        """Return the component as an entry of a recipe."""
        from aws_cdk import aws_imagebuilder as imagebuilder  # noqa: PLC0415 - the value object is plain data

        parameters = [
            imagebuilder.CfnImageRecipe.ComponentParameterProperty(name=name, value=list(values))
            for name, values in self.parameters.items()
        ]
        return imagebuilder.CfnImageRecipe.ComponentConfigurationProperty(
            component_arn=self.arn, parameters=parameters or None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Something that is done to an image, or a test of it.

    Make one with a class method.  One object can serve many images; it becomes one resource in each stack.  Edit the
    document and deploy: the component gets a new build version beside the old one, and recipes that use it follow.

    Example:
        ::

            install = Component.from_commands("apache", ["dnf install --assumeyes httpd", "systemctl enable httpd"])
            probe = Component.from_commands("probe", ["curl --fail http://localhost/"], phase="test")
            update = Component.aws_managed("update-linux")

    Attributes:
        name: Name of the component; unique in a stack.
        document: Its document, or None for a component that lives elsewhere.
        arn: ARN of a component that lives elsewhere, empty otherwise.
        platform: The one operating system it is for, or None when it is for any.
        parameters: What a recipe sets, by name.
        supported_os: Operating systems it is for, as prefixes of the source's; empty for any.
        path: File of the document, or None.
    """

    name: str
    document: Document | None = None
    arn: str = ""
    platform: Platform | None = None
    parameters: Mapping[str, tuple[str, ...]]
    supported_os: tuple[str, ...] = ()
    path: Path | None = None
    _managed: str = ""
    _has_tests: bool = False

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        name: str | None = None,
        parameters: Mapping[str, Values] | None = None,
        supported_os: Sequence[str] | None = None,
    ) -> Component:
        """Return the component whose document is a file, YAML or JSON.

        The document is checked now: what the service would refuse, or what would fail a build, is an error.

        Args:
            path: The file.  A relative path is relative to the working directory: build it from ``Path(__file__)``.
            name: Name of the component.  None takes the document's own, or else the file's.
            parameters: Values for the parameters that the document declares.
            supported_os: Operating systems it is for, such as ``Amazon Linux 2023``; None means any.

        Raises:
            ConfigError: When the file cannot be read or the document is wrong; all faults at once.
        """
        file = Path(path)
        document = read_document(file, where=str(path))
        return cls._of_document(
            str(path),
            document,
            name=name or document.name or file.stem,
            parameters=parameters,
            supported_os=supported_os,
            path=file,
        )

    @classmethod
    def from_commands(
        cls,
        name: str,
        commands: Sequence[str],
        *,
        phase: str = "build",
        platform: Platform = Platform.LINUX,
        supported_os: Sequence[str] | None = None,
    ) -> Component:
        """Return a component that runs commands and stops at the first one that fails.

        On Linux they are one bash script under ``set -euo pipefail``; on Windows one PowerShell script that stops at
        errors and at exit codes other than 0.

        Args:
            name: Name of the component.
            commands: The commands, in order; each may have several lines.
            phase: ``build`` changes the image, ``validate`` checks it before the snapshot, ``test`` checks an
                instance of the new AMI.
            platform: Operating system, which picks the shell.
            supported_os: Operating systems it is for, such as ``Amazon Linux 2023``; None means any.

        Raises:
            ConfigError: When there is no command, or the phase is unknown.
        """
        where = f"Component.from_commands({name!r})"
        faults = Faults(where)
        faults.check("commands", rules.commands_given(commands))
        faults.check("phase", rules.command_phase(phase))
        faults.raise_if_any()
        text = commands_document(name, commands, phase=phase, platform=platform)
        document = parse_document(text, where=where)
        return cls._of_document(
            where, document, name=name, parameters=None, supported_os=supported_os, platform=platform
        )

    @classmethod
    def aws_managed(
        cls, name: str, *, version: str = "x.x.x", parameters: Mapping[str, Values] | None = None
    ) -> Component:
        """Return a component that AWS manages.

        Args:
            name: Name of the component: one of ``ManagedComponent``, or any other.
            version: Version; ``x.x.x`` is the newest when the recipe is made, a number pins it.
            parameters: Values for the parameters that the component declares.

        Raises:
            ConfigError: When the name or the version is malformed.
        """
        faults = Faults(f"Component.aws_managed({str(name)!r})")
        faults.check("name", rules.managed_name(name))
        faults.check("version", rules.component_version(version))
        _check_values(faults, parameters)
        faults.raise_if_any()
        return cls(
            name=str(name),
            platform=platform_of(name),
            parameters=_frozen(parameters),
            _managed=f"{name}/{version}",
            _has_tests=is_test(name),
        )

    @classmethod
    def from_arn(
        cls,
        arn: str,
        *,
        parameters: Mapping[str, Values] | None = None,
        platform: Platform | None = None,
        has_tests: bool = False,
    ) -> Component:
        """Return a component that lives elsewhere: another stack, a shared one, a subscribed one of the Marketplace.

        Args:
            arn: ARN of a version, such as ``.../component/NAME/1.x.x``, or of a build version.
            parameters: Values for the parameters that the component declares.
            platform: Operating system it is for; None leaves the check to the service.
            has_tests: Whether it has a test phase.

        Raises:
            ConfigError: When the ARN is malformed.
        """
        faults = Faults("Component.from_arn")
        faults.check("arn", rules.component_arn(arn))
        _check_values(faults, parameters)
        faults.raise_if_any()
        name = arn.partition(":component/")[2].partition("/")[0] or arn
        return cls(name=name, arn=arn, platform=platform, parameters=_frozen(parameters), _has_tests=has_tests)

    @property
    def has_tests(self) -> bool:
        """Tell whether something runs on an instance of the new AMI."""
        return self.document.has_tests if self.document else self._has_tests

    def bind(self, scope: Construct, *, platform: Platform, os_version: str = "") -> BoundComponent:
        """Return what a recipe in ``scope`` needs, and make the component in its stack unless it is there already.

        Args:
            scope: The construct that uses the component.
            platform: Operating system of the source image.
            os_version: What Image Builder calls the source's operating system; empty when it is not known.

        Raises:
            ConfigError: When the component does not suit the platform, or another one has its name in the stack.
        """
        from cdk_ami.home import stack_of  # noqa: PLC0415 - the value object is plain data

        stack = stack_of(scope)
        faults = Faults(scope)
        self.find_faults(faults, stack=stack, platform=platform, os_version=os_version)
        faults.raise_if_any()
        return self.render(scope, stack, platform=platform)

    def render(self, scope: Construct, stack: Stack, *, platform: Platform) -> BoundComponent:
        """Return what ``bind`` returns, for a caller that has looked for faults already.

        Args:
            scope: The construct that uses the component.
            stack: Its stack.
            platform: Operating system of the source image.
        """
        if self.document is None:
            return self._elsewhere(stack)
        from cdk_ami.recipe.rendering import render_component  # noqa: PLC0415 - the value object is plain data

        rendered = render_component(scope, stack, self, platform=platform)
        return BoundComponent(
            name=self.name,
            arn=rendered.resource.attr_arn,
            parameters=self.parameters,
            resource=rendered.resource,
            assets=rendered.assets,
            has_tests=self.has_tests,
        )

    def find_faults(self, faults: Faults, *, stack: Stack, platform: Platform, os_version: str = "") -> None:
        """Record in ``faults`` why a recipe cannot use the component.

        Args:
            faults: The call's faults.
            stack: The recipe's stack.
            platform: Operating system of the source image.
            os_version: What Image Builder calls the source's operating system; empty when it is not known.
        """
        prop = f"component {self.name!r}"
        if self.platform is not None:
            faults.check(prop, rules.component_platform(self.platform, platform))
        elif self.document is not None:
            sealed = documents.Sealed(self.document.data)
            faults.check(f"{prop} ", documents.action_platforms(sealed, platform))
        faults.check(prop, rules.supports_source(self.supported_os, os_version))
        if self.document is not None:
            from cdk_ami.recipe.rendering import find_faults_of_name  # noqa: PLC0415 - the value object is plain data

            find_faults_of_name(faults, stack, self, platform=platform, prop=prop)

    @property
    def identity(self) -> str:
        """Return what a recipe may name only once: the owner and name of the component, without its version."""
        if self.document is not None:
            return f"own {pascal(self.name)}"
        return f"aws {self.name}" if self._managed else _identity(self.arn)

    @property
    def content_hash(self) -> str:
        """Return twelve hexadecimal digits that change with the document and with nothing else."""
        text = self.data if self.document else self.arn or self._managed
        return hashlib.sha256(re.sub(_CDK_TOKEN, "${Token}", text).encode()).hexdigest()[:12]

    @property
    def data(self) -> str:
        """Return the document as the service gets it, empty for a component that lives elsewhere.

        Supported operating systems stand in a comment: the service refuses a new component whose document is the old
        one's, so whatever replaces the resource must change the document too.
        """
        if self.document is None:
            return ""
        # A list that only the deployment knows cannot stand in a text.
        named = [version for version in self.supported_os if not is_list_token(version)]
        return f"{self.document.text.rstrip()}\n# For {', '.join(named)}\n" if named else self.document.text

    @property
    def description(self) -> str:
        """Return the description of the resource: it changes with the document and with nothing else."""
        about = (self.document.description if self.document else "") or self.name
        content = f" (content {self.content_hash})"
        return f"{about[: DESCRIPTION_MAX_CHARS - len(content)]}{content}"

    def _elsewhere(self, stack: Stack) -> BoundComponent:
        arn = self.arn
        if self._managed:
            from cdk_ami.home import partition_of, region_of  # noqa: PLC0415 - the value object is plain data

            arn = f"arn:{partition_of(stack)}:imagebuilder:{region_of(stack)}:aws:component/{self._managed}"
        return BoundComponent(
            name=self.name,
            arn=arn,
            parameters=self.parameters,
            has_tests=self.has_tests,
        )

    @classmethod
    def _of_document(
        cls,
        where: str,
        document: Document,
        *,
        name: str,
        parameters: Mapping[str, Values] | None,
        supported_os: Sequence[str] | None,
        platform: Platform | None = None,
        path: Path | None = None,
    ) -> Component:
        faults = Faults(where)
        faults.check("name", rules.component_name(name))
        faults.check("parameters", rules.parameters_declared(dict(parameters or {}), document.parameters))
        _check_values(faults, parameters)
        if supported_os is not None:
            faults.check("supported_os", rules.supported_os(supported_os))
        if path is None:
            faults.check("commands", rules.inline_document(len(document.text)))
        faults.raise_if_any()
        only = document.platforms[0] if len(document.platforms) == 1 else None
        return cls(
            name=name,
            document=document,
            platform=platform or only,
            parameters=_frozen(parameters),
            supported_os=tuple(supported_os or ()),
            path=path,
        )


def _identity(arn: str) -> str:
    owner, found, rest = arn.partition(":component/")
    text = f"{owner.rpartition(':')[2]} {rest.partition('/')[0]}" if found else arn
    # A comparable text, not a token: the same token is the same component.
    return text.replace("${Token[", "token ")


def _check_values(faults: Faults, parameters: Mapping[str, Values] | None) -> None:
    for name, value in (parameters or {}).items():
        faults.check(f"parameters[{name!r}]", rules.parameter_value(value))


def _frozen(parameters: Mapping[str, Values] | None) -> dict[str, tuple[str, ...]]:
    return {name: (value,) if isinstance(value, str) else tuple(value) for name, value in (parameters or {}).items()}
