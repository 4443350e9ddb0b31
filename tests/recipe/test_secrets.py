"""Secrets: read when a step runs, by a role that may read exactly them, and never written down."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm

from cdk_ami import BuildTrigger, Platform
from cdk_ami.checks.secrets import looks_secret
from cdk_ami.errors import ConfigError
from cdk_ami.recipe import actions
from cdk_ami.recipe.builder import ComponentDocument, Phase, Step
from cdk_ami.recipe.component import Component
from cdk_ami.recipe.document import parse_document
from tests.contract.refusals.row import image
from tests.support.components import scripts_of, statements_of
from tests.support.synth import make_stack, resources_of, template_of

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"


def secret_of(stack: cdk.Stack) -> secretsmanager.ISecret:
    return secretsmanager.Secret.from_secret_complete_arn(stack, "Db", ARN)


def parameter_of(stack: cdk.Stack) -> ssm.IStringParameter:
    return ssm.StringParameter.from_secure_string_parameter_attributes(stack, "Key", parameter_name="/app/key")


def test_the_step_reads_the_secret_into_a_variable_of_its_own() -> None:
    stack = make_stack()

    component = Component.from_commands(
        "migrate", ['psql --password="$DB_PASSWORD"'], secrets={"DB_PASSWORD": secret_of(stack)}
    )

    script = scripts_of(component)["RunCommands"]
    assert "aws secretsmanager get-secret-value --secret-id" in script
    assert script.index("export DB_PASSWORD") < script.index("psql")
    assert component.document is not None
    assert component.document.warnings == ()


def test_the_build_may_read_exactly_the_secret_and_its_key() -> None:
    stack = make_stack()
    key = kms.Key(stack, "SecretKey")
    secret = secretsmanager.Secret(stack, "Db", encryption_key=key)
    component = Component.from_commands("migrate", ["run $DB"], secrets={"DB": secret})

    made = image(stack, components=[component], trigger=BuildTrigger.on_change())

    template = template_of(stack)
    (read,) = [one for one in statements_of(template) if "secretsmanager:GetSecretValue" in one["Action"]]
    assert read["Resource"] == {"Ref": next(iter(resources_of(template, "AWS::SecretsManager::Secret")))}
    (opened,) = resources_of(template, "AWS::KMS::Key").values()
    (decrypt,) = [one for one in opened["Properties"]["KeyPolicy"]["Statement"] if one["Action"] == "kms:Decrypt"]
    assert "WebRole" in str(decrypt["Principal"])
    assert "secretsmanager" in str(decrypt["Condition"])
    assert made.build is not None
    policies = resources_of(template, "AWS::IAM::Policy")
    (build,) = resources_of(template, "AWS::ImageBuilder::Image").values()
    assert set(policies) <= set(build["DependsOn"])


def test_a_parameter_is_read_with_its_decryption() -> None:
    stack = make_stack()
    component = Component.from_commands("app", ["run $KEY"], secrets={"KEY": parameter_of(stack)})

    image(stack, components=[component])

    script = scripts_of(component)["RunCommands"]
    assert "aws ssm get-parameter --name '/app/key' --with-decryption" in script
    (read,) = [one for one in statements_of(template_of(stack)) if "ssm:GetParameter" in one["Action"]]
    assert "parameter/app/key" in str(read["Resource"])


def test_one_secret_of_two_components_is_granted_once() -> None:
    stack = make_stack()
    secret = secret_of(stack)
    components = [Component.from_commands(name, ["run $DB"], secrets={"DB": secret}) for name in ("one", "two")]

    image(stack, components=components)

    read = [one for one in statements_of(template_of(stack)) if "secretsmanager:GetSecretValue" in one["Action"]]
    assert len(read) == 1


def test_on_windows_the_tools_for_powershell_read_it_or_else_the_command_line() -> None:
    stack = make_stack()
    secrets: dict[str, Any] = {"DB": secret_of(stack), "KEY": parameter_of(stack)}

    component = Component.from_commands("app", ["run $env:DB $env:KEY"], platform=Platform.WINDOWS, secrets=secrets)

    script = scripts_of(component)["RunCommands"]
    assert "$env:DB = (Get-SECSecretValue -SecretId" in script
    assert "$env:KEY = (Get-SSMParameter -Name '/app/key' -WithDecryption $true" in script
    assert "(aws secretsmanager get-secret-value --secret-id" in script
    assert "(aws ssm get-parameter --name '/app/key'" in script
    assert "aws-cli-version-2-windows" in script


def test_only_the_steps_that_name_a_secret_read_it(tmp_path: Path) -> None:
    stack = make_stack()
    steps = [Step("One", actions.bash("run $DB_PASSWORD")), Step("Two", actions.bash("run $DB_PASSWORD_FILE"))]
    document = ComponentDocument(name="app", phases=[Phase("build", steps)])
    path = tmp_path / "app.yaml"
    path.write_text(document.text())
    secrets = {"DB_PASSWORD": secret_of(stack)}

    for component in (Component.from_document(document, secrets=secrets), Component.from_file(path, secrets=secrets)):
        scripts = scripts_of(component)
        assert "get-secret-value" in scripts["One"]
        assert "get-secret-value" not in scripts["Two"]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Make a folder with an AWS CLI that answers with what it was asked."""
    program = tmp_path / "bin" / "aws"
    program.parent.mkdir()
    program.write_text('#!/bin/bash\nif [ "$BROKEN" ]; then echo denied >&2; exit 254; fi\necho "asked $*"\n')
    program.chmod(0o755)
    return program.parent


def run(component: Component, path: str, **variables: str) -> subprocess.CompletedProcess[str]:
    script = scripts_of(component)["RunCommands"]
    return subprocess.run(
        ["/bin/bash", "-c", script], env={"PATH": path, **variables}, check=False, capture_output=True, text=True
    )


def component_of(stack: cdk.Stack) -> Component:
    return Component.from_commands("app", ['echo "got: $DB"'], secrets={"DB": secret_of(stack)})


def test_the_script_asks_in_the_region_of_the_secret(program: Path) -> None:
    done = run(component_of(make_stack()), f"{program}:/usr/bin:/bin")

    assert done.returncode == 0
    assert f"--secret-id {ARN}" in done.stdout
    assert "--region eu-west-1" in done.stdout


def test_a_secret_that_cannot_be_read_fails_the_step(program: Path) -> None:
    done = run(component_of(make_stack()), f"{program}:/usr/bin:/bin", BROKEN="1")

    assert done.returncode == 1
    assert "got:" not in done.stdout


def test_without_the_command_line_the_step_says_what_to_do(tmp_path: Path) -> None:
    done = run(component_of(make_stack()), str(tmp_path))

    assert done.returncode == 1
    assert "put the component aws-cli-version-2-linux before it" in done.stderr


@pytest.mark.parametrize(
    ("secrets", "rule", "prop", "fix"),
    [
        (lambda stack: {"DB-1": secret_of(stack)}, "SecretVariable", "secrets", "letters, digits and underscores"),
        (lambda _: {"DB": "hunter2"}, "SecretSource", "secrets['DB']", "secret of Secrets Manager"),
        (lambda stack: {"OTHER": secret_of(stack)}, "SecretUsed", "secrets['OTHER']", "$OTHER"),
    ],
)
def test_secrets_that_cannot_be_read_are_refused(
    secrets: Callable[[cdk.Stack], Any], rule: str, prop: str, fix: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Component.from_commands("app", ["run $DB"], secrets=secrets(make_stack()))

    assert (caught.value.faults[0].rule, caught.value.prop) == (f"cdk-ami::{rule}", prop)
    assert fix in caught.value.fix
    assert "hunter2" not in str(caught.value)


WRITTEN = [
    "DB_PASSWORD=hunter2hunter",
    "export API_KEY='abc123def456'",
    "password: Secr3tValue",
    "aws configure set aws_access_key_id AKIAIOSFODNN7EXAMPLE",
    "echo 'app:Secret123' | chpasswd",
    "login --password Sup3rSecret",
    "$env:TOKEN = 'abcd1234efgh'",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq",
    "curl -H 'Authorization: Bearer ghp_" + "a1" * 18 + "'",
]
HARMLESS = [
    "aws ec2 run-instances --metadata-options HttpTokens=required",
    "TOKEN=$(curl -X PUT http://169.254.169.254/latest/api/token)",
    "curl --header 'X-aws-ec2-metadata-token-ttl-seconds: 21600'",
    'curl --header "X-aws-ec2-metadata-token: $TOKEN"',
    "$password = ConvertTo-SecureString -String $secretValue.password",
    "sed -i 's/^PasswordAuthentication yes/PasswordAuthentication no/'",
    'psql --password="$DB_PASSWORD"',
    "docker login --password-stdin",
    "secret=arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
    "passwd --lock root",
    "grep -- '-----BEGIN [A-Z ]*PRIVATE KEY-----'",
    "password: {{ Password }}",
    "./scan.sh --api-token <enter_api_token_here>",
    "password_max_age=90days",
    "secret=prod/db1",
    "PASSWORD=changeme",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_text_that_gives_a_secret_away_is_noticed(text: str) -> None:
    assert looks_secret(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_a_text_that_only_speaks_of_secrets_is_not(text: str) -> None:
    assert not looks_secret(text)


def test_a_secret_in_a_document_is_a_warning_that_does_not_repeat_it() -> None:
    document = parse_document(
        "schemaVersion: 1.0\n"
        "constants: [{DbPassword: {type: string, value: hunter2hunter}}, {Token: {type: string, value: app/token1}}]\n"
        "phases: [{name: build, steps: [{name: A, action: ExecuteBash, inputs: {commands: ['API_KEY=abc123']}}]}]\n",
        where="x",
    )

    assert [warning.warning_id for warning in document.warnings] == ["cdk-ami::SecretInDocument"] * 2
    first, second = (warning.message for warning in document.warnings)
    assert first.startswith("phases[0].steps[0].inputs.commands[0] holds a value of API_KEY")
    assert second.startswith("constants.DbPassword.value is a secret, by its name")
    assert "abc123" not in first
    assert "hunter2" not in second
