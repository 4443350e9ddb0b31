"""Components: how each is made, what stands in the template, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aws_cdk as cdk
import pytest

from cdk_ami.errors import ConfigError
from cdk_ami.recipe import actions
from cdk_ami.recipe.builder import ComponentDocument, OnFailure, Parameter, Phase, Step
from cdk_ami.recipe.component import Component
from cdk_ami.recipe.document import parse_document, read_document
from cdk_ami.recipe.managed import ManagedComponent
from cdk_ami.source.platform import Platform
from tests.contract.refusals.row import image
from tests.support.components import statements_of, uploaded
from tests.support.synth import make_app, make_stack, only_resource, resources_of, template_of

LINUX, WINDOWS = Platform.LINUX, Platform.WINDOWS
KIND = "AWS::ImageBuilder::Component"
ARN = "arn:aws:imagebuilder:us-east-1:123456789012:component/web/1.x.x"
TOKEN = "${Token[TOKEN.42]}"

DOCUMENT = """\
name: Web server
description: Installs a web server
schemaVersion: 1.0
parameters:
  - Port: {type: string, default: '80'}
phases:
  - name: build
    steps:
      - name: Install
        action: ExecuteBash
        inputs: {commands: ['echo {{ Port }}']}
  - name: test
    steps:
      - name: Check
        action: ExecuteBash
        inputs: {commands: ['true']}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "web.yaml"
    path.write_text(DOCUMENT)
    return path


def test_a_component_from_a_file_is_one_resource_with_its_document(file: Path) -> None:
    stack = make_stack("Shop")
    component = Component.from_file(file)

    bound = component.bind(stack, platform=LINUX)

    assert only_resource(template_of(stack), KIND)["Properties"] == {
        "Name": "shop-web-server",
        "Version": "1.0.0",
        "Platform": "Linux",
        "Description": f"Installs a web server (content {component.content_hash})",
        "Data": DOCUMENT,
    }
    assert (bound.has_tests, bound.assets) == (True, ())
    assert stack.resolve(bound.arn) == {"Fn::GetAtt": ["ComponentWebServer", "Arn"]}


def test_the_resource_says_which_operating_systems_it_is_for(file: Path) -> None:
    stack = make_stack()

    Component.from_file(file, supported_os=["Amazon Linux 2023"]).bind(stack, platform=LINUX)

    properties = only_resource(template_of(stack), KIND)["Properties"]
    assert properties["SupportedOsVersions"] == ["Amazon Linux 2023"]
    assert properties["Data"].endswith("# For Amazon Linux 2023\n")
    assert parse_document(properties["Data"], where="data").name == "Web server"


def test_the_description_changes_with_the_document_and_with_nothing_else(file: Path) -> None:
    first = Component.from_file(file)
    same = Component.from_file(file, parameters={"Port": "8080"})
    file.write_text(DOCUMENT.replace("'true'", "'false'"))

    edited = Component.from_file(file)

    assert first.description == same.description
    assert first.description != edited.description
    assert first.name == edited.name


def test_the_content_hash_does_not_depend_on_the_number_of_a_token() -> None:
    one = Component.from_commands("token", [f"echo {cdk.Token.as_string({'Ref': 'A'})}"])
    two = Component.from_commands("token", [f"echo {cdk.Token.as_string({'Ref': 'A'})}"])

    assert one.data != two.data
    assert one.content_hash == two.content_hash


def test_one_component_serves_many_images_of_a_stack_as_one_resource(file: Path) -> None:
    stack = make_stack()
    component = Component.from_file(file)

    first = component.bind(stack, platform=LINUX)
    again = component.bind(stack, platform=LINUX)
    equal = Component.from_file(file, parameters={"Port": "81"}).bind(stack, platform=LINUX)

    assert first.arn == again.arn == equal.arn
    assert len(resources_of(template_of(stack), KIND)) == 1


def test_one_component_serves_many_stacks(file: Path) -> None:
    app = make_app()
    component = Component.from_file(file)

    for name in ("One", "Two"):
        component.bind(make_stack(name, app=app), platform=LINUX)

    names = [
        only_resource(template_of(stack), KIND)["Properties"]["Name"]
        for stack in app.node.children
        if isinstance(stack, cdk.Stack)
    ]
    assert names == ["one-web-server", "two-web-server"]


def test_another_component_with_the_same_name_is_refused(file: Path) -> None:
    stack = make_stack()
    Component.from_file(file).bind(stack, platform=LINUX)
    other = Component.from_commands("web-server", ["true"])

    with pytest.raises(ConfigError) as caught:
        other.bind(stack, platform=LINUX)

    assert (caught.value.where, caught.value.prop) == ("S", "component 'web-server'")
    assert "has another content elsewhere in the stack" in str(caught.value)
    assert caught.value.fix == "rename one of them"


def test_one_component_for_two_platforms_of_a_stack_is_refused() -> None:
    stack = make_stack()
    component = Component.from_arn(ARN)
    both = Component(name="both", document=parse_document(_reboot(), where="x"), parameters={})
    both.bind(stack, platform=LINUX)

    with pytest.raises(ConfigError) as caught:
        both.bind(stack, platform=WINDOWS)

    assert "is made for Linux elsewhere in the stack" in str(caught.value)
    assert component.bind(stack, platform=WINDOWS).arn == ARN


def test_bash_commands_stop_at_the_first_failure() -> None:
    stack = make_stack()

    Component.from_commands("setup", ["dnf install -y httpd", "line one\nline two"]).bind(stack, platform=LINUX)

    data = parse_document(only_resource(template_of(stack), KIND)["Properties"]["Data"], where="data").data
    assert data["phases"] == [
        {
            "name": "build",
            "steps": [
                {
                    "name": "RunCommands",
                    "action": "ExecuteBash",
                    "inputs": {"commands": ["set -euo pipefail", "dnf install -y httpd", "line one\nline two"]},
                }
            ],
        }
    ]


def test_powershell_commands_stop_at_errors_and_at_exit_codes() -> None:
    component = Component.from_commands("setup", ["choco install x", "dir"], platform=WINDOWS, phase="test")

    assert component.document is not None
    (phase,) = component.document.data["phases"]
    assert phase["name"] == "test"
    assert phase["steps"][0]["action"] == "ExecutePowerShell"
    assert phase["steps"][0]["inputs"]["commands"] == [
        "$ErrorActionPreference = 'Stop'\n$global:LASTEXITCODE = 0",
        "choco install x",
        "if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }",
        "dir",
        "if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }",
    ]
    assert component.has_tests


def test_a_token_in_a_command_reaches_the_template_as_a_reference() -> None:
    stack = make_stack()
    bucket = cdk.CfnParameter(stack, "Bucket")

    Component.from_commands("fetch", [f"aws s3 cp s3://{bucket.value_as_string}/x /tmp"]).bind(stack, platform=LINUX)

    data = only_resource(template_of(stack), KIND)["Properties"]["Data"]
    assert {"Ref": "Bucket"} in data["Fn::Join"][1]


def test_an_aws_managed_component_is_named_in_the_region_and_partition_of_the_stack() -> None:
    stack = make_stack()

    bound = Component.aws_managed(ManagedComponent.UPDATE_LINUX).bind(stack, platform=LINUX)

    assert bound.arn == "arn:aws:imagebuilder:us-east-1:aws:component/update-linux/x.x.x"
    assert bound.resource is None


@pytest.mark.parametrize(
    ("name", "platform", "tests"),
    [
        ("update-linux", LINUX, False),
        ("simple-boot-test-windows", WINDOWS, True),
        ("amazon-corretto-11", None, False),
    ],
)
def test_an_aws_managed_component_tells_what_its_name_tells(
    name: str, platform: Platform | None, *, tests: bool
) -> None:
    component = Component.aws_managed(name)

    assert (component.platform, component.has_tests) == (platform, tests)


def test_a_component_is_the_same_whatever_its_version_and_its_region() -> None:
    stack = make_stack()
    newest = Component.aws_managed("update-linux").bind(stack, platform=LINUX)
    pinned = Component.aws_managed("update-linux", version="1.0.2").bind(stack, platform=LINUX)
    by_arn = Component.from_arn("arn:aws:imagebuilder:us-east-1:aws:component/update-linux/1.x.x")
    own = Component.from_commands("update-linux", ["true"]).bind(stack, platform=LINUX)

    assert newest.identity == pinned.identity == by_arn.bind(stack, platform=LINUX).identity == "aws update-linux"
    assert own.identity != newest.identity
    assert "${Token[" not in own.identity


@pytest.mark.parametrize("has_tests", [False, True])
def test_whoever_names_a_component_by_arn_says_whether_it_tests(has_tests: bool) -> None:  # noqa: FBT001 - parametrized
    component = Component.from_arn(ARN, has_tests=has_tests)

    bound = component.bind(make_stack(), platform=LINUX)

    assert (component.has_tests, bound.has_tests) == (has_tests, has_tests)


def test_parameters_stand_in_the_recipe(file: Path) -> None:
    bound = Component.from_file(file, parameters={"Port": "8080"}).bind(make_stack(), platform=LINUX)

    configuration = bound.configuration()

    (parameter,) = configuration.parameters  # type: ignore[misc]
    assert (parameter.name, parameter.value) == ("Port", ["8080"])  # type: ignore[union-attr]
    assert Component.from_arn(ARN).bind(make_stack(), platform=LINUX).configuration().parameters is None


def test_a_long_document_is_uploaded_and_named_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text(f"# {'x' * 17_000}\n{DOCUMENT}")
    stack = make_stack()
    component = Component.from_file(path)

    bound = component.bind(stack, platform=LINUX)

    properties = only_resource(template_of(stack), KIND)["Properties"]
    assert "Data" not in properties
    assert ".yaml" in str(properties["Uri"])
    assert bound.assets
    assert [asset.asset_hash for asset in component.bind(stack, platform=LINUX).assets] == [bound.assets[0].asset_hash]


def test_long_commands_are_uploaded_by_themselves_and_the_build_may_read_them() -> None:
    stack = make_stack()
    long = Component.from_commands("long", ["echo " + "x" * 17_000])

    image(stack, components=[long])

    template = template_of(stack)
    properties = only_resource(template, KIND)["Properties"]
    assert "Data" not in properties
    (read,) = [one["Resource"] for one in statements_of(template) if one["Sid"] == "Objects"]
    assert [str(one) for one in read if ".yaml" in str(one)]


def test_what_only_the_deployment_knows_reaches_a_long_document_as_a_parameter() -> None:
    stack = make_stack()
    bucket = cdk.CfnParameter(stack, "Bucket").value_as_string
    long = Component.from_commands("long", ["# " + "x" * 17_000, f"aws s3 ls {bucket}", f"echo {bucket} {bucket}"])

    bound = long.bind(stack, platform=LINUX)

    assert {name: stack.resolve(list(values)) for name, values in bound.parameters.items()} == {
        "CdkAmiValue1": [{"Ref": "Bucket"}]
    }
    document = read_document(uploaded(stack, bound.assets[0]))
    assert document.parameters == {"CdkAmiValue1": None}
    assert document.data["phases"][0]["steps"][0]["inputs"]["commands"][2:] == [
        "aws s3 ls {{ CdkAmiValue1 }}",
        "echo {{ CdkAmiValue1 }} {{ CdkAmiValue1 }}",
    ]


def test_a_long_document_that_holds_a_token_outside_its_steps_is_refused() -> None:
    stack = make_stack()
    token = cdk.CfnParameter(stack, "About").value_as_string
    step = {"name": "Run", "action": "ExecuteBash", "inputs": {"commands": ["# " + "x" * 17_000]}}
    data = {"description": token, "schemaVersion": "1.0", "phases": [{"name": "build", "steps": [step]}]}
    long = Component.from_document(data, name="long")

    with pytest.raises(ConfigError) as caught:
        long.bind(stack, platform=LINUX)

    assert caught.value.prop == "component 'long'"
    assert caught.value.faults[0].rule == "cdk-ami::LongDocument"


def test_a_long_document_says_in_s3_too_which_operating_systems_it_is_for() -> None:
    stack = make_stack()
    long = Component.from_commands("long", ["# " + "x" * 17_000], supported_os=["Ubuntu"])

    bound = long.bind(stack, platform=LINUX)

    assert uploaded(stack, bound.assets[0]).read_text().endswith("# For Ubuntu\n")


def test_a_stack_name_too_long_for_a_component_is_cut_to_a_unique_one(file: Path) -> None:
    stack = make_stack("S" * 128)

    Component.from_file(file, name="c" * 100).bind(stack, platform=LINUX)

    name = only_resource(template_of(stack), KIND)["Properties"]["Name"]
    assert len(name) == 126
    assert name.startswith("s" * 100)


def test_a_nested_stack_names_its_components_by_its_path(file: Path) -> None:
    stack = make_stack("Outer")
    nested = cdk.NestedStack(stack, "Inner")

    Component.from_file(file).bind(nested, platform=LINUX)

    (resource,) = (child for child in nested.node.children if isinstance(child, cdk.CfnResource))
    assert resource.node.id == "ComponentWebServer"
    assert stack.resolve(resource.name) == "outer-inner-web-server"  # type: ignore[attr-defined]


def test_warnings_of_a_document_stand_at_the_construct_that_uses_it(tmp_path: Path) -> None:
    path = tmp_path / "future.yaml"
    path.write_text(DOCUMENT.replace("action: ExecuteBash", "action: ExecutePython", 1))
    stack = make_stack()

    Component.from_file(path).bind(stack, platform=LINUX)

    (told,) = [str(entry.data) for entry in stack.node.metadata if entry.type == "aws:cdk:warning"]
    assert "phases[0].steps[0].action is no action module known here" in told
    assert "[ack: cdk-ami::UnknownAction]" in told


def test_a_document_of_typed_parts_is_a_component_like_any_other() -> None:
    port = Parameter("Port", default="80")
    step = Step("Install", actions.bash(f"echo {port.ref}"))
    built = ComponentDocument(name="web", parameters=[port], phases=[Phase("build", [step])])

    component = Component.from_document(built, parameters={"Port": "8080"})

    assert (component.name, component.platform, component.parameters) == ("web", LINUX, {"Port": ("8080",)})
    assert component.data == built.text()


def test_a_document_of_plain_data_may_hold_tuples_and_names_of_enumerations() -> None:
    step = {"name": "Run", "action": "ExecuteBash", "onFailure": OnFailure.IGNORE, "inputs": {"commands": ("a", "b")}}
    data = {"schemaVersion": "1.0", "phases": ({"name": "build", "steps": (MappingProxyType(step),)},)}

    component = Component.from_document(data, name="web")

    assert component.document is not None
    assert component.document.data["phases"][0]["steps"] == [
        {"name": "Run", "action": "ExecuteBash", "onFailure": "Ignore", "inputs": {"commands": ["a", "b"]}}
    ]


def test_a_document_of_plain_data_needs_a_name_from_somewhere() -> None:
    data = {"schemaVersion": "1.0", "phases": [{"name": "build", "steps": [{"name": "R", "action": "Reboot"}]}]}

    with pytest.raises(ConfigError) as caught:
        Component.from_document(data)

    assert (caught.value.where, caught.value.prop) == ("Component.from_document('')", "name")
    assert Component.from_document(data, name="restart").name == "restart"


REFUSED: list[tuple[str, Callable[[], Component], str, object, str]] = [
    ("Commands", lambda: Component.from_commands("x", []), "commands", [], "at least one"),
    ("Commands", lambda: Component.from_commands("x", ["ls", " "]), "commands[1]", " ", "drop it"),
    ("Commands", lambda: Component.from_commands("x", "ls"), "commands", "ls", "a list"),
    ("Commands", lambda: Component.from_commands("x", ["a\0b"]), "commands[0]", "a\0b", "remove"),
    ("CommandPhase", lambda: Component.from_commands("x", ["ls"], phase="tests"), "phase", "tests", "'test'"),
    ("ComponentName", lambda: Component.from_commands("--", ["ls"]), "name", "--", "such as"),
    ("ComponentName", lambda: Component.from_commands("x" * 129, ["ls"]), "name", "x" * 129, "within 128"),
    ("ManagedComponentName", lambda: Component.aws_managed("Update Linux"), "name", "Update Linux", "lower case"),
    ("ComponentVersion", lambda: Component.aws_managed("update-linux", version="x.2.x"), "version", "x.2.x", "1.x.x"),
    ("ComponentArn", lambda: Component.from_arn("arn:aws:s3:::x"), "arn", "arn:aws:s3:::x", "1.x.x"),
    (
        "ComponentParameterValue",
        lambda: Component.from_arn(ARN, parameters={"Port": 80}),  # type: ignore[dict-item]
        "parameters['Port']",
        80,
        "'80'",
    ),
    ("SupportedOs", lambda: Component.from_commands("x", ["ls"], supported_os=[]), "supported_os", [], "leave it out"),
]


@pytest.mark.parametrize(("rule", "make", "prop", "got", "fix"), REFUSED)
def test_a_bad_component_is_refused_naming_property_value_and_fix(
    rule: str, make: Callable[[], Component], prop: str, got: object, fix: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make()

    assert caught.value.where.startswith("Component.")
    assert (caught.value.prop, caught.value.got) == (prop, got)
    assert fix in caught.value.fix
    assert caught.value.faults[0].rule == (f"cdk-ami::{rule}" if rule else "")


@pytest.mark.parametrize(
    ("parameters", "document", "prop", "fix"),
    [
        ({"Prot": "80"}, DOCUMENT, "parameters['Prot']", "'Port'"),
        ({}, DOCUMENT.replace(", default: '80'", ""), "parameters['Port']", "give a value"),
        ({"Port": 80}, DOCUMENT, "parameters['Port']", "'80'"),
    ],
)
def test_parameters_are_checked_against_the_document(
    parameters: dict[str, Any], document: str, prop: str, fix: str, file: Path
) -> None:
    file.write_text(document)

    with pytest.raises(ConfigError) as caught:
        Component.from_file(file, parameters=parameters)

    assert (caught.value.where, caught.value.prop) == (str(file), prop)
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("component", "platform", "os_version", "prop", "says"),
    [
        (Component.from_commands("sh", ["ls"]), WINDOWS, "", "component 'sh'", "is for Linux, the image is Windows"),
        (Component.aws_managed("update-windows"), LINUX, "", "component 'update-windows'", "is for Windows"),
        (
            Component.from_commands("sh", ["ls"], supported_os=["Ubuntu"]),
            LINUX,
            "Amazon Linux 2023",
            "component 'sh'",
            "does not support Amazon Linux 2023",
        ),
    ],
)
def test_a_component_that_does_not_suit_the_image_is_refused(
    component: Component, platform: Platform, os_version: str, prop: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        component.bind(make_stack("Shop"), platform=platform, os_version=os_version)

    assert (caught.value.where, caught.value.prop) == ("Shop", prop)
    assert says in str(caught.value)


def test_steps_for_two_systems_without_a_condition_are_refused_with_their_path() -> None:
    document = parse_document(_steps("ExecuteBash", "ExecutePowerShell"), where="x")
    component = Component(name="mixed", document=document, parameters={})

    with pytest.raises(ConfigError) as caught:
        component.bind(make_stack(), platform=LINUX)

    assert caught.value.prop == "component 'mixed' phases[0].steps[1].action"
    assert caught.value.got == "ExecutePowerShell"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Component.from_arn(TOKEN),
        lambda: Component.from_arn(ARN, parameters={"Port": TOKEN}),
        lambda: Component.aws_managed("update-linux", version=TOKEN),
        lambda: Component.from_commands("x", [TOKEN]),
    ],
)
def test_tokens_go_through(make: Callable[[], Component]) -> None:
    assert make().bind(make_stack(), platform=LINUX).arn


def _steps(*actions: str) -> str:
    steps: Sequence[str] = [
        f"{{name: S{n}, action: {action}, inputs: {{commands: [ls]}}}}" for n, action in enumerate(actions)
    ]
    return f"schemaVersion: 1.0\nphases: [{{name: build, steps: [{', '.join(steps)}]}}]"


def _reboot() -> str:
    return "schemaVersion: 1.0\nphases: [{name: build, steps: [{name: R, action: Reboot}]}]"
