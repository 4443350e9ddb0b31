"""Bad inputs to components and their documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_ami import AgentConfig, AgentLog, AgentMetrics, Component, ImageFile, Platform, SourceImage
from tests.contract.refusals.row import SET_UP, Row, image, written

ARN: Final = "arn:aws:imagebuilder:us-east-1:123456789012:component/own/1.0.0"
NUMBER: Final[Any] = 80
PASSWORD: Final[Any] = "hunter2"
AGENT: Final = "Component.cloudwatch_agent('cloudwatch-agent')"
LONG: Final[dict[str, Any]] = {
    "schemaVersion": "1.0",
    "phases": [
        {
            "name": "build",
            "steps": [{"name": "Run", "action": "ExecuteBash", "inputs": {"commands": [f"# {'x' * 17_000}"]}}],
        }
    ],
}
DOCUMENT: Final = """\
schemaVersion: 1.0
parameters:
  - Port: {type: string, default: '80'}
phases:
  - name: build
    steps:
      - name: Install
        action: ExecuteBash
        inputs: {commands: ['echo {{ Port }}']}
      - name: Each
        action: ExecuteBash
        loop: {forEach: [one, two]}
        inputs: {commands: ['echo {{ loop.value }}']}
"""


def document(old: str, new: str, **options: Any) -> Callable[[cdk.Stack], Component]:
    """Return the call that reads the document ``web.yaml``, in which ``new`` has taken the place of ``old``."""
    assert old in DOCUMENT
    return lambda _: Component.from_file(written("web.yaml", DOCUMENT.replace(old, new, 1)), **options)


def whole(text: str | bytes) -> Callable[[cdk.Stack], Component]:
    """Return the call that reads ``text`` as the document ``web.yaml``."""
    return lambda _: Component.from_file(written("web.yaml", text))


def secret(stack: cdk.Stack) -> secretsmanager.ISecret:
    """Return a secret that is there before the call."""
    return secretsmanager.Secret.from_secret_name_v2(stack, SET_UP, "db")


def of_image(*components: Component) -> Callable[[cdk.Stack], object]:
    """Return the call that makes an image of ``components`` alone."""
    return lambda stack: image(stack, components=components, tests=[])


ROWS: Final = (
    Row(
        "a component's name holds no letter",
        lambda _: Component.from_commands("--", ["true"]),
        "Component.from_commands('--')",
        "name",
        "--",
        "such as",
        "ComponentName",
    ),
    Row(
        "a component runs no command",
        lambda _: Component.from_commands("web", []),
        "Component.from_commands('web')",
        "commands",
        [],
        "at least one",
        "Commands",
    ),
    Row(
        "commands run in a phase that does not exist",
        lambda _: Component.from_commands("web", ["true"], phase="tests"),
        "Component.from_commands('web')",
        "phase",
        "tests",
        "'test'",
        "CommandPhase",
    ),
    Row(
        "a component supports no operating system",
        lambda _: Component.from_commands("web", ["true"], supported_os=[]),
        "Component.from_commands('web')",
        "supported_os",
        [],
        "leave it out",
        "SupportedOs",
    ),
    Row(
        "a component is given by the ARN of something else",
        lambda _: Component.from_arn("arn:aws:s3:::bucket"),
        "Component.from_arn",
        "arn",
        "arn:aws:s3:::bucket",
        "component/NAME",
        "ComponentArn",
    ),
    Row(
        "a component that AWS manages is called by its title",
        lambda _: Component.aws_managed("Update Linux"),
        "Component.aws_managed('Update Linux')",
        "name",
        "Update Linux",
        "lower case",
        "ManagedComponentName",
    ),
    Row(
        "a version counts right of its first x",
        lambda _: Component.aws_managed("update-linux", version="x.2.x"),
        "Component.aws_managed('update-linux')",
        "version",
        "x.2.x",
        "1.x.x",
        "ComponentVersion",
    ),
    Row(
        "a component's parameter is a number",
        lambda _: Component.from_arn(ARN, parameters={"Port": NUMBER}),
        "Component.from_arn",
        "parameters['Port']",
        80,
        "'80'",
        "ComponentParameterValue",
    ),
    Row(
        "a parameter is none that the document declares",
        document("Port", "Port", parameters={"Prot": "80"}),
        "web.yaml",
        "parameters['Prot']",
        "Prot",
        "'Port'",
        "ComponentParameters",
    ),
    Row(
        "a document's file does not exist",
        lambda _: Component.from_file("apache.yml"),
        "apache.yml",
        "path",
        "apache.yml",
        "mend the path",
        "DocumentFile",
    ),
    Row(
        "a document is no UTF-8 text",
        whole(b"name: \xff"),
        "web.yaml",
        "path",
        "web.yaml",
        "save the file as UTF-8",
    ),
    Row("a document is empty", whole(""), "web.yaml", "document", "", "schemaVersion", "DocumentText"),
    Row(
        "a document has one key twice",
        document("schemaVersion: 1.0", "schemaVersion: 1.0\nschemaVersion: 1.0"),
        "web.yaml",
        "document",
        "1.0",
        "keep one",
        "DocumentKeys",
    ),
    Row(
        "a document leaves a bracket open",
        document("[one, two]", "[one, two"),
        "web.yaml",
        "document",
        "        loop: {forEach: [one, two}",
        "mend the syntax",
        "DocumentSyntax",
    ),
    Row(
        "a document is indented with a tab",
        document("    steps:", "\tsteps:"),
        "web.yaml",
        "document",
        "\tsteps:",
        "blanks",
        "DocumentTabs",
    ),
    Row(
        "a directory stands where a document is due",
        lambda _: Component.from_file(written("web.yaml", DOCUMENT).parent),
        ".",
        "path",
        ".",
        "one YAML or JSON file",
        "DocumentFolder",
    ),
    Row(
        "a document is longer than the service takes",
        document("schemaVersion", f"# {'x' * 64_000}\nschemaVersion"),
        "web.yaml",
        "document",
        64_344,
        "split it",
        "DocumentSize",
    ),
    Row(
        "a document's text holds an escaped NUL character",
        document("'echo {{ Port }}'", '"echo \\0"'),
        "web.yaml",
        "phases[0].steps[0].inputs.commands[0]",
        "echo \0",
        "remove it",
        "NulCharacter",
    ),
    Row("a document is a list", whole("- build\n"), "web.yaml", "document", ["build"], "begin with", "DocumentMapping"),
    Row(
        "a step lacks its action",
        document("        action: ExecuteBash\n", ""),
        "web.yaml",
        "phases[0].steps[0].action",
        None,
        "add action",
        "DocumentShape",
    ),
    Row(
        "a step lacks an input of its action",
        document("inputs: {commands: ['echo {{ Port }}']}", "inputs: {}"),
        "web.yaml",
        "phases[0].steps[0].inputs.commands",
        None,
        "add commands",
        "ActionInputs",
    ),
    Row(
        "a step chains to a later one",
        document("{{ Port }}", "{{ build.Each.outputs.stdout }}"),
        "web.yaml",
        "phases[0].steps[0].inputs.commands[0]",
        "{{ build.Each.outputs.stdout }}",
        "move step Each",
        "Chain",
    ),
    Row(
        "a condition compares with nothing",
        document("loop: {forEach: [one, two]}", "if: {stringEquals: one}\n        loop: {forEach: [one, two]}"),
        "web.yaml",
        "phases[0].steps[1].if.value",
        None,
        "add value",
        "Condition",
    ),
    Row(
        "a phase's name is misspelt",
        document("name: build", "name: biuld"),
        "web.yaml",
        "phases[0].name",
        "biuld",
        "'build'",
        "PhaseName",
    ),
    Row(
        "two steps of a phase have one name",
        document("name: Each", "name: Install"),
        "web.yaml",
        "phases[0].steps[1].name",
        "Install",
        "its own",
        "StepName",
    ),
    Row(
        "a document's constant has a name of one letter",
        document("phases:", "constants:\n  - P: {type: string, value: x}\nphases:"),
        "web.yaml",
        "constants[0]",
        "P",
        "3 to 128",
        "VariableName",
    ),
    Row(
        "a command uses a parameter that is not declared",
        document("{{ Port }}", "{{ Prot }}"),
        "web.yaml",
        "phases[0].steps[0].inputs.commands[0]",
        "{{ Prot }}",
        "'Port'",
        "Expression",
    ),
    Row(
        "a loop repeats nothing",
        document("forEach: [one, two]", "forEach: []"),
        "web.yaml",
        "phases[0].steps[1].loop.forEach",
        [],
        "at least one",
        "Loop",
    ),
    Row(
        "a step's action does not exist on the image's system",
        lambda stack: image(
            stack,
            components=[
                Component.from_file(
                    written(
                        "web.yaml",
                        DOCUMENT.replace("ExecuteBash", "SetRegistry", 1).replace(
                            "{commands: ['echo {{ Port }}']}", "[{path: HKLM, name: Web, type: REG_SZ, value: on}]", 1
                        ),
                    )
                )
            ],
        ),
        "S/Web",
        "component 'web' phases[0].steps[0].action",
        "SetRegistry",
        "guard the step with if",
        "ActionPlatform",
    ),
    Row(
        "a component of Windows is used in an image of Linux",
        of_image(Component.from_commands("first", ["true"]), Component.aws_managed("update-windows")),
        "S/Web",
        "component 'update-windows'",
        "Windows",
        "for Linux",
        "ComponentPlatform",
    ),
    Row(
        "a component does not support the source's release",
        of_image(Component.from_commands("web", ["true"], supported_os=["Ubuntu"])),
        "S/Web",
        "component 'web'",
        ["Ubuntu"],
        "another source",
        "ComponentSupportsOs",
    ),
    Row(
        "a recipe names one component in two versions",
        of_image(Component.from_arn(ARN), Component.from_arn(ARN.replace("1.0.0", "1.0.1"))),
        "S/Web",
        "components[1]",
        "123456789012 own",
        "keep one",
        "ComponentsOnce",
    ),
    Row(
        "a recipe has more components than it takes",
        of_image(*(Component.aws_managed(f"part-{number}-linux") for number in range(21))),
        "S/Web",
        "components",
        21,
        "merge",
        "ComponentsPerRecipe",
    ),
    Row(
        "two components of a stack share a name and differ in content",
        lambda stack: (
            Component.from_commands("there", ["true"]).bind(stack, platform=SourceImage.ubuntu().platform),
            image(stack, components=[Component.from_commands("there", ["false"])]),
        ),
        "S/Web",
        "component 'there'",
        "there",
        "rename one",
    ),
    Row(
        "a test holds no test phase",
        lambda stack: image(stack, tests=[Component.from_commands("probe", ["true"])]),
        "S/Web",
        "tests[0]",
        "probe",
        "phase named test",
        "TestComponent",
    ),
    Row(
        "a long document holds what only the deployment knows in its description",
        lambda stack: Component.from_document(
            LONG | {"description": cdk.CfnParameter(stack, SET_UP).value_as_string}, name="long"
        ).bind(stack, platform=Platform.LINUX),
        "S",
        "component 'long'",
        None,
        "steps alone",
        "LongDocument",
        after=True,
    ),
    Row(
        "a document made in Python holds a path",
        lambda _: Component.from_document({**LONG, "phases": [{"name": "build", "steps": [Path("run.sh")]}]}, name="x"),
        "Component.from_document('x')",
        "phases[0].steps[0]",
        Path("run.sh"),
        "as text",
        "DocumentData",
    ),
    Row(
        "a component puts no file into the image",
        lambda _: Component.from_files("app", {}),
        "Component.from_files('app')",
        "files",
        {},
        "give them as",
        "Files",
    ),
    Row(
        "a file goes to a relative path",
        lambda _: Component.from_files("app", {"etc/app.conf": written("app.conf", "x")}),
        "Component.from_files('app')",
        "files['etc/app.conf']",
        "etc/app.conf",
        "/etc/app.conf",
        "FileDestination",
    ),
    Row(
        "a file of an image does not exist",
        lambda _: Component.from_files("app", {"/etc/app.conf": "app.conf"}),
        "Component.from_files('app')",
        "files['/etc/app.conf'].source",
        "app.conf",
        "mend the path",
        "FileSource",
    ),
    Row(
        "a file's mode is written in letters",
        lambda _: Component.from_files("app", {"/etc/x": ImageFile(written("x", "x"), mode="rw-r--r--")}),
        "Component.from_files('app')",
        "files['/etc/x'].mode",
        "rw-r--r--",
        "octal",
        "FileMode",
    ),
    Row(
        "a file's owner is given by his number",
        lambda _: Component.from_files("app", {"/etc/x": ImageFile(written("x", "x"), owner="0")}),
        "Component.from_files('app')",
        "files['/etc/x'].owner",
        "0",
        "'root'",
        "FileOwner",
    ),
    Row(
        "a device goes into an image",
        lambda _: Component.from_files("app", {"/etc/x": "/dev/null"}),
        "Component.from_files('app')",
        "files['/etc/x']",
        "/dev/null",
        "leave it out",
        "FileKind",
    ),
    Row(
        "two files go to one place",
        lambda _: Component.from_files("app", {"/etc/x": written("x", "x"), "/etc//x": written("y", "y")}),
        "Component.from_files('app')",
        "files",
        "etc/x",
        "all but one",
        "FilesOnce",
    ),
    Row(
        "a secret's variable is no name of a variable",
        lambda stack: Component.from_commands("app", ["run"], secrets={"DB-1": secret(stack)}),
        "Component.from_commands('app')",
        "secrets",
        "DB-1",
        "DB_PASSWORD",
        "SecretVariable",
    ),
    Row(
        "a secret is written down",
        lambda _: Component.from_commands("app", ["run $DB"], secrets={"DB": PASSWORD}),
        "Component.from_commands('app')",
        "secrets['DB']",
        "str",
        "Secrets Manager",
        "SecretSource",
    ),
    Row(
        "no command uses a secret",
        lambda stack: Component.from_commands("app", ["run"], secrets={"DB": secret(stack)}),
        "Component.from_commands('app')",
        "secrets['DB']",
        "DB",
        "$DB",
        "SecretUsed",
    ),
    Row(
        "a restart waits for less than nothing",
        lambda _: Component.reboot(delay_seconds=-1),
        "Component.reboot('reboot')",
        "delay_seconds",
        -1,
        "from 0",
        "RebootDelay",
    ),
    Row(
        "a product of the Marketplace is called by its title",
        lambda _: Component.marketplace("hardening-linux", "Hardened Linux"),
        "Component.marketplace('hardening-linux')",
        "product_id",
        "Hardened Linux",
        "product's page",
        "MarketplaceProduct",
    ),
    Row(
        "a ready component is misspelt",
        lambda _: Component.ready("timesync"),
        "Component.ready('timesync')",
        "component",
        "timesync",
        "'time-sync'",
        "ReadyComponent",
    ),
    Row(
        "a component installs no package",
        lambda _: Component.packages("tools"),
        "Component.packages('tools')",
        "packages",
        [],
        "at least one",
        "Packages",
    ),
    Row(
        "a package is an option of its manager",
        lambda _: Component.packages("tools", ["--nogpgcheck"]),
        "Component.packages('tools')",
        "packages['--nogpgcheck']",
        "--nogpgcheck",
        "letters",
        "PackageName",
    ),
    Row(
        "a package's version is a range",
        lambda _: Component.packages("tools", {"git": ">= 2"}),
        "Component.packages('tools')",
        "packages['git']",
        ">= 2",
        "1.24.*",
        "PackageVersion",
    ),
    Row(
        "packages are installed on Windows",
        lambda _: Component.packages("tools", ["git"], platform=Platform.WINDOWS),
        "Component.packages('tools')",
        "platform",
        "Windows",
        "from_commands",
        "PackagesPlatform",
    ),
    Row(
        "a service's name holds a blank",
        lambda _: Component.service("my app"),
        "Component.service('my app')",
        "unit",
        "my app",
        "httpd",
        "ServiceName",
    ),
    Row(
        "the CloudWatch agent collects nothing",
        lambda _: Component.cloudwatch_agent({"agent": {"debug": True}}),
        AGENT,
        "config",
        {"agent": {"debug": True}},
        "metrics or logs",
        "AgentConfiguration",
    ),
    Row(
        "the CloudWatch agent writes into a namespace of AWS",
        lambda _: Component.cloudwatch_agent(AgentConfig(namespace="AWS/EC2")),
        AGENT,
        "config.namespace",
        "AWS/EC2",
        "CWAgent",
        "AgentNamespace",
    ),
    Row(
        "the CloudWatch agent measures all the time",
        lambda _: Component.cloudwatch_agent(AgentConfig(interval_seconds=0)),
        AGENT,
        "config.interval_seconds",
        0,
        "from 1",
        "AgentInterval",
    ),
    Row(
        "the CloudWatch agent is asked for a dimension that it does not know",
        lambda _: Component.cloudwatch_agent(AgentConfig(dimensions=["InstanceID"])),
        AGENT,
        "config.dimensions[0]",
        "InstanceID",
        "'InstanceId'",
        "AgentDimension",
    ),
    Row(
        "the CloudWatch agent measures what it cannot",
        lambda _: Component.cloudwatch_agent(
            AgentConfig(metrics=[AgentMetrics(group="memory", measurements=["used"])])
        ),
        AGENT,
        "config.metrics[0].group",
        "memory",
        "'mem'",
        "AgentMetrics",
    ),
    Row(
        "the CloudWatch agent reads a log by a relative path",
        lambda _: Component.cloudwatch_agent(AgentConfig(logs=[AgentLog(path="app.log", log_group="app")])),
        AGENT,
        "config.logs[0].path",
        "app.log",
        "whole path",
        "AgentLog",
    ),
)
