"""Components: what is done to an image, and how it is tested."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from cdk_ami.checks import components as rules
from cdk_ami.checks import documents
from cdk_ami.checks.rule import is_list_token
from cdk_ami.errors import Faults
from cdk_ami.limits import DESCRIPTION_MAX_CHARS
from cdk_ami.naming import pascal
from cdk_ami.recipe.commands import commands_document
from cdk_ami.recipe.document import Document, parse_document, read_document, write_document
from cdk_ami.recipe.long_documents import CDK_TOKEN
from cdk_ami.recipe.managed import is_test, parameters_of, platform_of
from cdk_ami.source.platform import Platform

if TYPE_CHECKING:
    from aws_cdk import Stack
    from aws_cdk import aws_imagebuilder as imagebuilder
    from aws_cdk import aws_s3_assets as s3_assets
    from constructs import Construct

    from cdk_ami.recipe.agent import AgentConfig
    from cdk_ami.recipe.builder import ComponentDocument
    from cdk_ami.recipe.files import Archive, ImageFile
    from cdk_ami.recipe.packages import PackageManager
    from cdk_ami.recipe.ready import ReadyComponent
    from cdk_ami.recipe.secrets import SecretSource

Values = str | Sequence[str]
"""What a parameter may be set to."""


class BoundComponent(NamedTuple):
    """A component as a recipe in one stack uses it.

    Attributes:
        name: Name of the component.
        arn: ARN of the version that the recipe names; may be a token.
        parameters: What the recipe sets, by name.
        resource: The resource in the stack, or None for a component that lives elsewhere.
        assets: What a build reads from S3: a long document, and files.
        secrets: What a build reads when it runs, by the names of variables.
        has_tests: Whether something runs on an instance of the new AMI.
    """

    name: str
    arn: str
    parameters: Mapping[str, tuple[str, ...]]
    resource: imagebuilder.CfnComponent | None = None
    assets: tuple[s3_assets.Asset, ...] = ()
    secrets: Mapping[str, SecretSource] = MappingProxyType({})
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
        archives: Files that its document downloads.
        secrets: What its steps read when they run, by the names of variables.
    """

    name: str
    document: Document | None = None
    arn: str = ""
    platform: Platform | None = None
    parameters: Mapping[str, tuple[str, ...]]
    supported_os: tuple[str, ...] = ()
    path: Path | None = None
    archives: tuple[Archive, ...] = ()
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
    _managed: str = ""
    _owner: str = "aws"
    _has_tests: bool = False

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        name: str | None = None,
        parameters: Mapping[str, Values] | None = None,
        supported_os: Sequence[str] | None = None,
        secrets: Mapping[str, SecretSource] | None = None,
    ) -> Component:
        """Return the component whose document is a file, YAML or JSON.

        The document is checked now: what the service would refuse, or what would fail a build, is an error.  Past
        16,000 characters it goes through S3.

        Args:
            path: The file.  A relative path is relative to the working directory: build it from ``Path(__file__)``.
            name: Name of the component.  None takes the document's own, or else the file's.
            parameters: Values for the parameters that the document declares.
            supported_os: Operating systems it is for, such as ``Amazon Linux 2023``; None means any.
            secrets: Secrets and parameters by the names of variables, as in ``from_commands``.

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
            secrets=secrets,
        )

    @classmethod
    def from_document(
        cls,
        document: ComponentDocument | Mapping[str, Any],
        *,
        name: str | None = None,
        parameters: Mapping[str, Values] | None = None,
        supported_os: Sequence[str] | None = None,
        secrets: Mapping[str, SecretSource] | None = None,
    ) -> Component:
        """Return the component whose document is built here: from typed parts, or as plain data.

        It is checked as a file would be.

        Args:
            document: The document.
            name: Name of the component.  None takes the document's own.
            parameters: Values for the parameters that the document declares.
            supported_os: Operating systems it is for, such as ``Amazon Linux 2023``; None means any.
            secrets: Secrets and parameters by the names of variables, as in ``from_commands``.

        Raises:
            ConfigError: When the document is wrong, or has no name; all faults at once.
        """
        data = document if isinstance(document, Mapping) else document.data()
        own_name = name or str(data.get("name") or "")
        where = f"Component.from_document({own_name!r})"
        faults = Faults(where)
        faults.check("", documents.document_data(documents.Sealed(data)))
        faults.raise_if_any()
        return cls._of_document(
            where,
            parse_document(write_document(data), where=where),
            name=own_name,
            parameters=parameters,
            supported_os=supported_os,
            secrets=secrets,
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
        secrets: Mapping[str, SecretSource] | None = None,
    ) -> Component:
        """Return a component that runs commands and stops at the first one that fails.

        On Linux they are one bash script under ``set -euo pipefail``; on Windows one PowerShell script that stops at
        errors and at exit codes other than 0.  A long script goes through S3.

        Args:
            name: Name of the component.
            commands: The commands, in order; each may have several lines.
            phase: ``build`` changes the image, ``validate`` checks it before the snapshot, ``test`` checks an
                instance of the new AMI.
            platform: Operating system, which picks the shell.
            supported_os: Operating systems it is for, such as ``Amazon Linux 2023``; None means any.
            secrets: Secrets of Secrets Manager and parameters of SSM by the names of variables.  The step asks for them
                with the build's role when it runs, which may read exactly them and their keys; the values are in
                environment variables of the step alone.  Linux needs the AWS CLI for it, Windows that or the AWS
                Tools for PowerShell.

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
            where, document, name=name, supported_os=supported_os, platform=platform, secrets=secrets
        )

    @classmethod
    def from_files(
        cls,
        name: str,
        files: Mapping[str, str | Path | ImageFile],
        *,
        platform: Platform = Platform.LINUX,
        supported_os: Sequence[str] | None = None,
    ) -> Component:
        """Return a component that puts files and directories of the project into the image.

        They go through S3 as one archive, which the build verifies by its checksum before it unpacks it.  What is in
        a directory already stays there; a file that is there already is replaced.

        Args:
            name: Name of the component.
            files: Where each goes, an absolute path, and what it is: a file, or a directory with all that is in it.
                An ``ImageFile`` says owner, group and mode too.  A relative path here is relative to the working
                directory: build it from ``Path(__file__)``.
            platform: Operating system of the image.
            supported_os: Operating systems it is for, such as ``Amazon Linux 2023``; None means any.

        Raises:
            ConfigError: When a file cannot be read, or cannot go where it should; all faults at once.
        """
        from cdk_ami.recipe.files import files_document, pack  # noqa: PLC0415 - only where files are used

        where = f"Component.from_files({name!r})"
        archive = pack(files, platform=platform, where=where)
        document = parse_document(files_document(name, archive, list(files)).text(), where=where)
        made = cls._of_document(where, document, name=name, supported_os=supported_os, platform=platform)
        return replace(made, archives=(archive,))

    @classmethod
    def packages(
        cls,
        name: str,
        packages: Sequence[str] | Mapping[str, str] = (),
        *,
        remove: Sequence[str] = (),
        manager: PackageManager | None = None,
        platform: Platform = Platform.LINUX,
        supported_os: Sequence[str] | None = None,
    ) -> Component:
        """Return a component that installs and removes packages of a Linux distribution, and checks that it did.

        What the package manager has downloaded is cleaned away.

        Args:
            name: Name of the component.
            packages: Packages to install; as a mapping, the version of each, which may end in ``*``, or an empty text
                for the newest.
            remove: Packages to remove.
            manager: Package manager.  Default: the one that the instance has, of dnf, yum, apt and zypper.
            platform: Operating system of the image; Windows is refused, as it has no package manager of its own.
            supported_os: Operating systems it is for, such as ``Amazon Linux 2023``; None means any.

        Raises:
            ConfigError: When no package is named, or a name is none.
        """
        from cdk_ami.recipe.packages import packages_document  # noqa: PLC0415 - only where packages are used

        where = f"Component.packages({name!r})"
        versions = dict(packages) if isinstance(packages, Mapping) else packages
        document = packages_document(name, versions, remove=remove, manager=manager, platform=platform, where=where)
        return cls._of_built(where, document, supported_os=supported_os, platform=platform)

    @classmethod
    def service(
        cls,
        unit: str,
        *,
        name: str | None = None,
        start: bool = True,
        platform: Platform = Platform.LINUX,
        supported_os: Sequence[str] | None = None,
    ) -> Component:
        """Return a component that enables a service, and tests on a new instance that it runs.

        Args:
            unit: Name of the unit of systemd, such as ``httpd``, or of the service of Windows.
            name: Name of the component.  Default: ``service-`` and the unit.
            start: Whether it is started during the build too, which fails the build when it cannot start.
            platform: Operating system of the image.
            supported_os: Operating systems it is for, such as ``Amazon Linux 2023``; None means any.

        Raises:
            ConfigError: When the name is none of a service.
        """
        from cdk_ami.recipe.services import service_document  # noqa: PLC0415 - only where services are used

        where = f"Component.service({unit!r})"
        document = service_document(name or f"service-{unit}", unit, start=start, platform=platform, where=where)
        return cls._of_built(where, document, supported_os=supported_os, platform=platform)

    @classmethod
    def cloudwatch_agent(
        cls,
        config: AgentConfig | Mapping[str, Any] | str | Path,
        *,
        name: str = "cloudwatch-agent",
        platform: Platform = Platform.LINUX,
        supported_os: Sequence[str] | None = None,
    ) -> Component:
        """Return a component that installs the CloudWatch agent, configures it, and tests that it runs.

        The agent writes with the role of the instance: the default role of a fleet allows metrics in the namespace
        ``CWAgent`` and log groups under its ``agent_log_prefix``, which are the defaults of an ``AgentConfig`` too.

        Args:
            config: What it measures and which logs it sends: typed, as the agent's own JSON, or a file of that.
            name: Name of the component.
            platform: Operating system of the image.
            supported_os: Operating systems it is for, such as ``Amazon Linux 2023``; None means any.

        Raises:
            ConfigError: When the agent would refuse the configuration; all faults at once.
        """
        from cdk_ami.recipe.agent import agent_document  # noqa: PLC0415 - only where the agent is used

        where = f"Component.cloudwatch_agent({name!r})"
        document = agent_document(name, config, platform=platform, where=where)
        return cls._of_built(where, document, supported_os=supported_os, platform=platform)

    @classmethod
    def reboot(cls, *, name: str = "reboot", delay_seconds: int = 0) -> Component:
        """Return a component that restarts the build instance; the components after it go on then.

        Args:
            name: Name of the component; a recipe that restarts twice needs two names.
            delay_seconds: Seconds to wait before.

        Raises:
            ConfigError: When the delay is no time.
        """
        from cdk_ami.recipe.actions import Reboot  # noqa: PLC0415 - only where it is used
        from cdk_ami.recipe.builder import ComponentDocument, Phase, Step  # noqa: PLC0415 - only where it is used

        where = f"Component.reboot({name!r})"
        faults = Faults(where)
        faults.check("delay_seconds", rules.reboot_delay(delay_seconds))
        faults.raise_if_any()
        step = Step("Reboot", Reboot(delay_seconds=delay_seconds or None))
        return cls._of_built(where, ComponentDocument(name=name, phases=[Phase("build", [step])]))

    @classmethod
    def ready(cls, component: ReadyComponent | str, *, parameters: Mapping[str, Values] | None = None) -> Component:
        """Return a component that comes with this library.

        Args:
            component: Which one.
            parameters: Values for the parameters that it declares.

        Raises:
            ConfigError: When there is none of this name, or it declares no such parameter.
        """
        from cdk_ami.recipe.ready import document_of  # noqa: PLC0415 - only where they are used

        where = f"Component.ready({str(component)!r})"
        document = document_of(component, where=where)
        return cls._of_document(where, document, name=document.name, parameters=parameters, platform=Platform.LINUX)

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
        known = parameters_of(name)
        if known is not None:
            faults.check("parameters", rules.parameters_declared(dict(parameters or {}), known))
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
    def marketplace(
        cls,
        name: str,
        product_id: str,
        *,
        version: str = "x.x.x",
        parameters: Mapping[str, Values] | None = None,
        platform: Platform | None = None,
        has_tests: bool = False,
    ) -> Component:
        """Return a component of a product of the AWS Marketplace that the account has subscribed to.

        https://docs.aws.amazon.com/imagebuilder/latest/userguide/integ-marketplace.html

        Args:
            name: Name of the component, without the product's id.
            product_id: Id of the product, which the product's page shows.
            version: Version; ``x.x.x`` is the newest when the recipe is made, a number pins it.
            parameters: Values for the parameters that the component declares.
            platform: Operating system it is for; None leaves the check to the service.
            has_tests: Whether it has a test phase.

        Raises:
            ConfigError: When the name, the id or the version is malformed.
        """
        faults = Faults(f"Component.marketplace({name!r})")
        faults.check("name", rules.managed_name(name))
        faults.check("product_id", rules.product_id(product_id))
        faults.check("version", rules.component_version(version))
        _check_values(faults, parameters)
        faults.raise_if_any()
        return cls(
            name=name,
            platform=platform,
            parameters=_frozen(parameters),
            _managed=f"{name}-{product_id}/{version}",
            _owner="aws-marketplace",
            _has_tests=has_tests,
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
            parameters={**self.parameters, **rendered.parameters},
            resource=rendered.resource,
            assets=rendered.assets,
            secrets=self.secrets,
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
            from cdk_ami.recipe.rendering import (  # noqa: PLC0415 - the value object is plain data
                find_faults_of_name,
                find_faults_of_text,
            )

            find_faults_of_name(faults, stack, self, platform=platform, prop=prop)
            find_faults_of_text(faults, self, prop=prop)

    @property
    def identity(self) -> str:
        """Return what a recipe may name only once: the owner and name of the component, without its version."""
        if self.document is not None:
            return f"own {pascal(self.name)}"
        return f"{self._owner} {self._managed.partition('/')[0]}" if self._managed else _identity(self.arn)

    @property
    def content_hash(self) -> str:
        """Return twelve hexadecimal digits that change with the document and with nothing else."""
        text = self.data if self.document else self.arn or self._managed
        # A token's number depends on what else the app made before; its content does not.
        return hashlib.sha256(re.sub(CDK_TOKEN, "${Token}", text).encode()).hexdigest()[:12]

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

            arn = f"arn:{partition_of(stack)}:imagebuilder:{region_of(stack)}:{self._owner}:component/{self._managed}"
        return BoundComponent(
            name=self.name,
            arn=arn,
            parameters=self.parameters,
            has_tests=self.has_tests,
        )

    @classmethod
    def _of_built(
        cls,
        where: str,
        document: ComponentDocument,
        *,
        supported_os: Sequence[str] | None = None,
        platform: Platform | None = None,
    ) -> Component:
        parsed = parse_document(document.text(), where=where)
        return cls._of_document(where, parsed, name=document.name, supported_os=supported_os, platform=platform)

    @classmethod
    def _of_document(
        cls,
        where: str,
        document: Document,
        *,
        name: str,
        parameters: Mapping[str, Values] | None = None,
        supported_os: Sequence[str] | None = None,
        platform: Platform | None = None,
        path: Path | None = None,
        secrets: Mapping[str, SecretSource] | None = None,
    ) -> Component:
        faults = Faults(where)
        faults.check("name", rules.component_name(name))
        faults.check("parameters", rules.parameters_declared(dict(parameters or {}), document.parameters))
        _check_values(faults, parameters)
        if supported_os is not None:
            faults.check("supported_os", rules.supported_os(supported_os))
        given = dict(secrets or {})
        for variable, source in given.items():
            faults.check("secrets", rules.secret_variable(variable))
            faults.check(f"secrets[{variable!r}]", rules.secret_source(source))
        faults.raise_if_any()
        only = document.platforms[0] if len(document.platforms) == 1 else None
        return cls(
            name=name,
            document=_reading(document, given, faults, where=where) if given else document,
            platform=platform or only,
            parameters=_frozen(parameters),
            supported_os=tuple(supported_os or ()),
            path=path,
            secrets=given,
        )


def _reading(document: Document, secrets: Mapping[str, SecretSource], faults: Faults, *, where: str) -> Document:
    from cdk_ami.recipe.secrets import weave  # noqa: PLC0415 - only where secrets are used

    data, used = weave(document.data, secrets)
    faults.check("secrets", rules.secrets_used(list(secrets), sorted(used)))
    faults.raise_if_any()
    return parse_document(write_document(data), where=where)


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
