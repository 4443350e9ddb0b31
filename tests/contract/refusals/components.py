"""Bad inputs to components and their documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import aws_cdk as cdk

from cdk_ami import Component, SourceImage
from tests.contract.refusals.row import Row, image, written

ARN: Final = "arn:aws:imagebuilder:us-east-1:123456789012:component/own/1.0.0"
NUMBER: Final[Any] = 80
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
        "commands make a document too long for a template",
        lambda _: Component.from_commands("web", ["x" * 16_001]),
        "Component.from_commands('web')",
        "commands",
        16_172,
        "into a file",
        "InlineDocument",
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
)
