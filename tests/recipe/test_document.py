"""Component documents: what is read, what is refused with its path and its fix, what is let through."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cdk_ami.errors import ConfigError
from cdk_ami.recipe.document import Document, parse_document, read_document, to_json, write_document
from cdk_ami.source.platform import Platform

DOCUMENTS = Path(__file__).parent / "documents"

GOOD = """\
name: Apache
description: Installs Apache
schemaVersion: 1.0
parameters:
  - Port:
      type: string
      default: 80
  - Owner: {type: string}
constants:
  - Root: {type: string, value: /var/www}
phases:
  - name: build
    steps:
      - name: Fetch
        action: S3Download
        timeoutSeconds: 60
        onFailure: Abort
        maxAttempts: 3
        inputs:
          - source: s3://bucket/one.sh
            destination: /tmp/one.sh
            expectedBucketOwner: 123456789012
            overwrite: false
      - name: Run
        action: ExecuteBash
        timeoutSeconds: -1
        inputs:
          commands:
            - bash '{{ build.Fetch.inputs[0].destination }}' {{ Port }} {{Owner}} "{{ Root }}"
            - true
      - name: Each
        action: ExecuteBash
        loop:
          name: Hosts
          forEach: [one, two]
        inputs: {commands: ['echo {{ loop.value }} {{ Hosts.index }}']}
      - name: Restart
        action: Reboot
      - name: Update
        action: UpdateOS
  - name: validate
    steps:
      - name: Run
        action: ExecuteBash
        inputs: {commands: ['echo {{ build.Run.outputs.stdout }}']}
"""


def faults_of(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_document(text, where="apache.yaml")
    return caught.value


def test_a_document_tells_what_a_recipe_needs_to_know() -> None:
    document = parse_document(GOOD, where="apache.yaml")

    assert (document.name, document.description) == ("Apache", "Installs Apache")
    assert document.parameters == {"Port": "80", "Owner": None}
    assert document.phases == ("build", "validate")
    assert document.platforms == (Platform.LINUX,)
    assert not document.has_tests
    assert document.warnings == ()


BROKEN: list[tuple[str, str, str, str, str, object, str]] = [
    ("unknown phase", "- name: build", "- name: biuld", "PhaseName", "phases[0].name", "biuld", "'build'"),
    ("phase twice", "- name: validate", "- name: build", "PhaseName", "phases[1].name", "build", "merge"),
    ("no phases", "phases:", "fases:", "DocumentShape", "phases", None, "add phases"),
    (
        "no steps",
        "    steps:\n      - name: Run\n",
        "    stages:\n      - name: Run\n",
        "DocumentShape",
        "phases[1].steps",
        None,
        "add steps",
    ),
    ("schema version", "schemaVersion: 1.0", "schemaVersion: 2.0", "DocumentShape", "schemaVersion", 2.0, "write 1.0"),
    (
        "step without action",
        "        action: Reboot\n",
        "",
        "DocumentShape",
        "phases[0].steps[3].action",
        None,
        "add action",
    ),
    ("step name twice", "name: Restart", "name: Run", "StepName", "phases[0].steps[3].name", "Run", "its own"),
    (
        "zero timeout",
        "timeoutSeconds: 60",
        "timeoutSeconds: 0",
        "DocumentShape",
        "phases[0].steps[0].timeoutSeconds",
        0,
        "-1 for no limit",
    ),
    (
        "wordy timeout",
        "timeoutSeconds: 60",
        "timeoutSeconds: soon",
        "DocumentShape",
        "phases[0].steps[0].timeoutSeconds",
        "soon",
        "whole number",
    ),
    (
        "failure mode",
        "onFailure: Abort",
        "onFailure: abort",
        "DocumentShape",
        "phases[0].steps[0].onFailure",
        "abort",
        "Abort, Continue, Ignore",
    ),
    (
        "no attempts",
        "maxAttempts: 3",
        "maxAttempts: 0",
        "DocumentShape",
        "phases[0].steps[0].maxAttempts",
        0,
        "from 1 up",
    ),
    (
        "no commands",
        "{commands: ['echo {{ build.Run.outputs.stdout }}']}",
        "{commands: []}",
        "ActionInputs",
        "phases[1].steps[0].inputs.commands",
        [],
        "at least one command",
    ),
    (
        "commands as text",
        "{commands: ['echo {{ build.Run.outputs.stdout }}']}",
        "{commands: ls}",
        "ActionInputs",
        "phases[1].steps[0].inputs.commands",
        "ls",
        "list",
    ),
    (
        "a colon in a command",
        "            - true\n",
        "            - echo a: b\n",
        "ActionInputs",
        "phases[0].steps[1].inputs.commands[1]",
        {"echo a": "b"},
        "quotes",
    ),
    (
        "missing inputs",
        "        inputs: {commands: ['echo {{ build.Run.outputs.stdout }}']}\n",
        "",
        "ActionInputs",
        "phases[1].steps[0].inputs",
        None,
        "add inputs",
    ),
    (
        "missing input",
        "            destination: /tmp/one.sh\n",
        "",
        "ActionInputs",
        "phases[0].steps[0].inputs[0].destination",
        None,
        "add destination",
    ),
    (
        "chain to a later step",
        "build.Fetch.inputs[0].destination",
        "build.Each.outputs.stdout",
        "Chain",
        "phases[0].steps[1].inputs.commands[0]",
        "{{ build.Each.outputs.stdout }}",
        "move step Each",
    ),
    (
        "chain to no step",
        "build.Run.outputs",
        "build.Rum.outputs",
        "Chain",
        "phases[1].steps[0].inputs.commands[0]",
        "{{ build.Rum.outputs.stdout }}",
        "'Run'",
    ),
    (
        "chain across stages",
        "- name: validate",
        "- name: test",
        "Chain",
        "phases[1].steps[0].inputs.commands[0]",
        "{{ build.Run.outputs.stdout }}",
        "write the value to a file",
    ),
    (
        "undeclared parameter",
        "{{ Port }}",
        "{{ Prot }}",
        "Expression",
        "phases[0].steps[1].inputs.commands[0]",
        "{{ Prot }}",
        "'Port'",
    ),
    ("parameter type", "default: 80", "default: [80]", "DocumentShape", "parameters[0].Port.default", [80], "text"),
    (
        "unknown type",
        "      type: string\n",
        "      type: int\n",
        "DocumentShape",
        "parameters[0].Port.type",
        "int",
        "string",
    ),
    ("short parameter name", "- Owner:", "- O:", "VariableName", "parameters[1]", "O", "3 to 128"),
    ("name of a parameter and a constant", "- Root:", "- Port:", "VariableName", "constants[0]", "Port", "rename"),
    (
        "loop over nothing",
        "forEach: [one, two]",
        "forEach: []",
        "Loop",
        "phases[0].steps[2].loop.forEach",
        [],
        "at least one",
    ),
    (
        "loop backwards",
        "forEach: [one, two]",
        "for: {start: 3, end: 1, updateBy: 1}",
        "Loop",
        "phases[0].steps[2].loop.for",
        {"start": 3, "end": 1, "updateBy": 1},
        "count down",
    ),
    (
        "endless loop",
        "forEach: [one, two]",
        "for: {start: 1, end: 3, updateBy: 0}",
        "Loop",
        "phases[0].steps[2].loop.for.updateBy",
        0,
        "other than 0",
    ),
    (
        "loop of no kind",
        "          forEach: [one, two]\n",
        "",
        "Loop",
        "phases[0].steps[2].loop",
        ["name"],
        "exactly one",
    ),
    ("key twice", "description: Installs Apache", "name: Again", "DocumentKeys", "document", "Again", "keep one"),
    (
        "tab",
        "    steps:\n      - name: Run\n",
        "    steps:\n\t- name: Run\n",
        "DocumentTabs",
        "document",
        "\t- name: Run",
        "blanks",
    ),
    ("tag", "name: Apache", "name: !Sub Apache", "DocumentSyntax", "document", "Apache", "remove the tag"),
    (
        "expression without quotes",
        "default: 80",
        "default: {{ Port }}",
        "DocumentSyntax",
        "document",
        None,
        "quote expressions",
    ),
    ("two documents", "phases:", "---\nphases:", "DocumentSyntax", "document", None, "one document"),
    (
        "open bracket",
        "[one, two]",
        "[one, two",
        "DocumentSyntax",
        "document",
        "        inputs: {commands: ['echo {{ loop.value }} {{ Hosts.index }}']}",
        "syntax",
    ),
    ("NUL", "Installs", "Inst\0alls", "DocumentText", "document", "\\0", "remove it"),
]


@pytest.mark.parametrize(
    ("old", "new", "rule", "prop", "got", "fix"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_broken_document_is_refused_with_path_value_and_fix(  # noqa: PLR0917 - one row of the table
    old: str, new: str, rule: str, prop: str, got: object, fix: str
) -> None:
    assert old in GOOD

    error = faults_of(GOOD.replace(old, new, 1))

    fault = next(fault for fault in error.faults if fault.rule == f"cdk-ami::{rule}")
    assert (error.where, fault.prop, fault.got) == ("apache.yaml", prop, got)
    assert fix in fault.fix


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "DocumentText"),
        ("# nothing but a comment\n", "DocumentMapping"),
        ("- build\n- test\n", "DocumentMapping"),
        ("just words", "DocumentMapping"),
        ("x" * 64_001, "DocumentSize"),
        ("&a [*a]", "DocumentSyntax"),
        ("[" * 100 + "]" * 100, "DocumentSyntax"),
    ],
)
def test_what_is_no_document_at_all_is_refused(text: str, rule: str) -> None:
    error = faults_of(text)

    assert [fault.rule for fault in error.faults] == [f"cdk-ami::{rule}"]
    assert error.prop == "document"


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    error = faults_of("\n".join(lines))

    assert "grows to more than 20,000 values" in str(error)


def test_all_faults_of_a_document_are_told_at_once() -> None:
    text = GOOD.replace("onFailure: Abort", "onFailure: stop").replace("{{ Port }}", "{{ Prot }}")

    error = faults_of(text.replace("name: Restart", "name: Run"))

    assert [fault.rule.removeprefix("cdk-ami::") for fault in error.faults] == [
        "DocumentShape",
        "StepName",
        "Expression",
    ]


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("schemaVersion: 1.0", "schemaVersion: '1.0'"),
        GOOD.replace("schemaVersion: 1.0", "schemaVersion: 1"),
        GOOD.replace("timeoutSeconds: 60", "timeoutSeconds: '60'"),
        GOOD.replace("overwrite: false", "overwrite: 'false'"),
        GOOD.replace("- true", "- echo '{{.Names}} {{ json . }} {{ a.b }} {{ imagebuilder:buildDate }}'"),
        GOOD.replace("- true", "- |\n              set -e\n              echo 12:30 2026-01-01 = yes"),
        GOOD.replace("- true", "- 2026-01-01\n            - ="),
        GOOD.replace("default: 80", "default: 22:30"),
        GOOD.replace("forEach: [one, two]", "for: {start: 3, end: 1, updateBy: -1}"),
        GOOD.replace("forEach: [one, two]", "forEach: {list: 'a,b', delimiter: ','}"),
        GOOD.replace("name: Restart\n", "name: Restart\n        if: {fileExists: /etc/x, then: Skip, else: Execute}\n"),
        GOOD.replace("action: Reboot\n", "action: Reboot\n        inputs:\n          delaySeconds: 60\n"),
        GOOD.replace("action: UpdateOS\n", "action: UpdateOS\n        inputs:\n"),
        GOOD.replace("- name: validate", "- name: container-host-test").replace("build.Run.outputs", "a.b.outputs"),
        (DOCUMENTS / "windows.yaml").read_text(),
        (DOCUMENTS / "linux.json").read_text(),
        GOOD.replace("- name: validate", "- name: test").replace(
            "build.Run.outputs.stdout", "build.Fetch.inputs[1].source"
        ),
        "schemaVersion: 1.0\nparameters:\nconstants:\nphases: [{name: build, steps: [{name: R, action: Reboot}]}]",
        "---\n" + GOOD,
        "\n# Heading\n\n" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("description: Installs Apache", "description:"),
        GOOD.replace("phases:", "x-common: &common {commands: [ls]}\nphases:").replace(
            "inputs: {commands: ['echo {{ build.Run.outputs.stdout }}']}", "inputs: {<<: *common}"
        ),
    ],
)
def test_what_the_service_accepts_is_never_refused(text: str) -> None:
    assert isinstance(parse_document(text, where="apache.yaml"), Document)


def test_yaml_scalars_are_read_as_the_texts_they_are() -> None:
    text = GOOD.replace("default: 80", "default: 22:30").replace("value: /var/www", "value: 2026-01-01")

    document = parse_document(text, where="apache.yaml")

    assert document.parameters["Port"] == "22:30"
    assert document.data["constants"][0]["Root"]["value"] == "2026-01-01"


@pytest.mark.parametrize(
    ("old", "new", "warning", "says"),
    [
        ("action: Reboot", "action: Hibernate", "UnknownAction", "phases[0].steps[3].action is no action module"),
        ("action: Reboot", "action: Rebot", "UnknownAction", "'Reboot'"),
        ("timeoutSeconds: 60", "timeoutInSeconds: 60", "UnknownKey", "phases[0].steps[0].timeoutInSeconds"),
        ("overwrite: false", "overwriteAll: false", "UnknownKey", "phases[0].steps[0].inputs[0].overwriteAll"),
        ("description: Installs", "licence: MIT", "UnknownKey", "licence is no key"),
    ],
)
def test_what_the_service_may_know_better_is_a_warning(old: str, new: str, warning: str, says: str) -> None:
    document = parse_document(GOOD.replace(old, new, 1), where="apache.yaml")

    (told,) = document.warnings
    assert told.warning_id == f"cdk-ami::{warning}"
    assert says in told.message


@pytest.mark.parametrize(
    ("inputs", "given"), [("{}", []), ("{commands: [dir], file: 'C:\\a.ps1'}", ["commands", "file"])]
)
def test_powershell_takes_either_commands_or_a_file(inputs: str, given: list[str]) -> None:
    step = f"{{name: Run, action: ExecutePowerShell, inputs: {inputs}}}"

    error = faults_of(f"schemaVersion: 1.0\nphases: [{{name: build, steps: [{step}]}}]")

    assert (error.prop, error.got) == ("phases[0].steps[0].inputs", given)


@pytest.mark.parametrize(
    ("action", "platforms"),
    [
        ("action: ExecuteBash, inputs: {commands: [ls]}", (Platform.LINUX,)),
        ("action: ExecutePowerShell, inputs: {commands: [dir]}", (Platform.WINDOWS,)),
        ("action: Reboot", (Platform.LINUX, Platform.WINDOWS)),
        ("action: ExecutePowerShell, if: {binaryExists: pwsh}, inputs: {commands: [dir]}", tuple(Platform)),
        ("action: CreateFile, inputs: [{path: /a, owner: root}]", (Platform.LINUX,)),
    ],
)
def test_a_document_tells_which_systems_run_it(action: str, platforms: tuple[Platform, ...]) -> None:
    text = f"schemaVersion: 1.0\nphases: [{{name: build, steps: [{{name: One, {action}}}]}}]"

    assert parse_document(text, where="one.yaml").platforms == platforms


def test_json_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "apache.json"
    file.write_text(to_json(parse_document(GOOD, where="apache.yaml")))

    assert read_document(file).parameters == {"Port": "80", "Owner": None}


def test_a_document_survives_the_round_trip_through_yaml() -> None:
    document = parse_document(GOOD, where="apache.yaml")

    again = parse_document(write_document(document.data), where="again.yaml")

    assert again.data == document.data


def test_a_byte_order_mark_is_no_part_of_a_document(tmp_path: Path) -> None:
    file = tmp_path / "apache.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())

    assert read_document(file).name == "Apache"


def test_a_missing_file_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "apache.yaml").write_text(GOOD)

    with pytest.raises(ConfigError) as caught:
        read_document(tmp_path / "apache.yml")

    assert (caught.value.prop, caught.value.got) == ("path", str(tmp_path / "apache.yml"))
    assert "'apache.yaml'" in caught.value.fix


def test_a_directory_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_document(tmp_path)

    assert (caught.value.where, caught.value.prop) == (str(tmp_path), "path")
    assert "is a directory" in str(caught.value)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "apache.yaml"
    file.write_bytes("name: Größe\n".encode("latin-1"))

    with pytest.raises(ConfigError) as caught:
        read_document(file)

    assert "UTF-8" in caught.value.fix


def test_documents_are_checked_without_the_cdk_and_without_boto3() -> None:
    program = (
        "import sys; from cdk_ami.recipe.document import parse_document; import cdk_ami.source.catalog;"
        "import cdk_ami.source.image, cdk_ami.recipe.component, cdk_ami.recipe.volume;"
        "print(sorted({'aws_cdk', 'boto3', 'botocore'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


CONDITIONED = """\
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Maybe
        action: ExecuteBash
        if: {condition}
        inputs: {{commands: ['true']}}
"""


@pytest.mark.parametrize(
    "condition",
    [
        "{fileExists: /etc/hosts}",
        "{fileExists: /etc/hosts, then: Skip, else: Execute}",
        "[{fileExists: /etc/hosts}]",
        "{and: [{binaryExists: yum}, {not: {binaryExists: unzip}}]}",
        "{or: [{stringEquals: a, value: A}, {numberGreaterThanEquals: 1, value: '2'}]}",
        "{not: [{folderExists: /srv}]}",
        "{stringIsEmpty: ''}",
        "{fileSHA256Equals: abc, path: /etc/hosts}",
        "{patternMatches: '^a', value: '{{ loop.value }}'}",
    ],
)
def test_a_condition_of_the_service_is_accepted(condition: str) -> None:
    document = parse_document(CONDITIONED.format(condition=condition), where="x")

    assert document.warnings == ()


@pytest.mark.parametrize(
    ("condition", "place", "got", "fix"),
    [
        ("soon", "", "soon", "name one operator"),
        ("{}", "", {}, "name one operator"),
        ("{then: Skip}", "", {"then": "Skip"}, "name one operator"),
        ("{fileExists: /a, folderExists: /b}", "", ["fileExists", "folderExists"], "under one and"),
        ("{fileExists: /a, then: Jump}", ".then", "Jump", "Abort, Execute, Skip"),
        ("{fileExists: [/a]}", ".fileExists", ["/a"], "one text"),
        ("{fileMD5Equals: abc}", ".path", None, "add path"),
        ("{and: {fileExists: /a}}", ".and", {"fileExists": "/a"}, "at least one"),
        ("{or: [{and: []}]}", ".or[0].and", [], "at least one"),
        ("{not: {numberEquals: 1}}", ".not.value", None, "add value"),
        ("{not: [{numberEquals: 1}]}", ".not[0].value", None, "add value"),
    ],
)
def test_a_broken_condition_is_refused_with_its_path(condition: str, place: str, got: object, fix: str) -> None:
    error = faults_of(CONDITIONED.format(condition=condition))

    (fault,) = [fault for fault in error.faults if fault.rule == "cdk-ami::Condition"]
    assert (fault.prop, fault.got) == (f"phases[0].steps[0].if{place}", got)
    assert fix in fault.fix


def test_an_assertion_is_checked_like_a_condition() -> None:
    text = CONDITIONED.replace("ExecuteBash", "Assert").replace("{{commands: ['true']}}", "{{stringEquals: a}}")

    error = faults_of(text.format(condition="{fileExists: /a}"))

    assert (error.prop, error.fix) == ("phases[0].steps[0].inputs.value", "add value")


def test_an_operator_that_is_not_known_here_is_a_warning() -> None:
    document = parse_document(CONDITIONED.format(condition="{and: [{fileExist: /a}]}"), where="x")

    (warning,) = document.warnings
    assert warning.warning_id == "cdk-ami::UnknownKey"
    assert warning.message == (
        "phases[0].steps[0].if.and[0].fileExist is no operator known here, got 'fileExist'; did you mean 'fileExists'?"
    )


@pytest.mark.parametrize("literal", ["1.5e-206", "2.0", "-3.25e+10"])
def test_a_number_with_an_exponent_is_a_number(literal: str) -> None:
    document = parse_document(CONDITIONED.format(condition=f"{{numberEquals: {literal}, value: 1}}"), where="x")

    assert document.data["phases"][0]["steps"][0]["if"]["numberEquals"] == float(literal)


def test_a_number_beyond_all_numbers_stays_a_text() -> None:
    document = parse_document(CONDITIONED.format(condition="{stringEquals: 1.0e999, value: 1}"), where="x")

    assert document.data["phases"][0]["steps"][0]["if"]["stringEquals"] == "1.0e999"


def test_templates_of_other_programs_in_commands_are_no_expressions() -> None:
    commands = [
        "docker ps --format '{{ .Names }}'",
        "docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{else}}none{{end}}' web",
        "docker inspect --format='{{json .Config}}' web",
        "echo '{{ $value }}'",
    ]
    step = {"name": "Show", "action": "ExecuteBash", "inputs": {"commands": commands}}
    data = {"schemaVersion": "1.0", "phases": [{"name": "build", "steps": [step]}]}

    assert parse_document(write_document(data), where="x").data == data
