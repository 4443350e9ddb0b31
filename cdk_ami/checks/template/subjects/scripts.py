"""Rules over the commands of a template: of component documents, user data and containers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from cdk_ami.checks import commands
from cdk_ami.checks.rule import Problem
from cdk_ami.checks.template.places import Place, Resource, parsed_json, plain_text
from cdk_ami.checks.template.registry import Family, Severity, below, template_rule
from cdk_ami.checks.template.subjects.components import document_at
from cdk_ami.checks.template.types import (
    COMPONENT,
    CONTAINER_RECIPE,
    INSTANCE,
    LAUNCH_CONFIGURATION,
    LAUNCH_TEMPLATE,
    RECIPE,
)

_ACTIONS: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html"
_WITH_USER_DATA: Final = (LAUNCH_TEMPLATE, LAUNCH_CONFIGURATION, INSTANCE, RECIPE)
_SCRIPTED: Final = (COMPONENT, *_WITH_USER_DATA, CONTAINER_RECIPE)
_USER_DATA: Final = {
    LAUNCH_TEMPLATE: "LaunchTemplateData.UserData",
    LAUNCH_CONFIGURATION: "UserData",
    INSTANCE: "UserData",
    RECIPE: "AdditionalInstanceConfiguration.UserDataOverride",
    CONTAINER_RECIPE: "DockerfileTemplateData",
}
_CUSTOM: Final = ("Custom::AWS", "Custom::AWSCDK-AwsSdk")


def _component(inputs: str, action: str = "ExecuteBash", phase: str = "build") -> str:
    return (
        "Name: web\nVersion: 1.0.0\nPlatform: Linux\nData: |\n  schemaVersion: 1.0\n  phases:\n"
        f"    - name: {phase}\n      steps:\n        - name: One\n          action: {action}\n          inputs: {inputs}\n"
    )


def _bash(*lines: str) -> str:
    return _component("{commands: [" + ", ".join(f"'{line}'" for line in lines) + "]}")


def _user_data(text: str) -> str:
    return (
        "T: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {UserData: {'Fn::Base64': \""
        + text
        + '"}}}}'
    )


_GOOD: Final = (
    _bash("dnf install -y httpd", "systemctl enable httpd"),
    _user_data("#!/bin/sh\\nhostname"),
    _component("{commands: ['dnf install -y httpd']}").replace("Data: |", "Data: !Sub |"),
    "Name: web\nVersion: 1.0.0\nPlatform: Linux\nUri: s3://b/a.yaml",
)


def scripts(it: Resource) -> list[tuple[Place, str]]:
    """Return the place and the text of every script of a resource, a word in place of what is not known."""
    # A token must not hide the rest from the pure rules.
    return it.template.once(
        ("scripts", it.logical_id),
        lambda: [(place, text.replace("${Token[", "$TOKEN[")) for place, text in _scripts(it)],
    )


def _scripts(it: Resource) -> Iterator[tuple[Place, str]]:
    if it.type == COMPONENT:
        sealed = document_at(it)
        for _, at, step in sealed.steps() if sealed else ():
            inputs = Place(step.get("inputs"), f"{it.get('Data').path}.{at}.inputs")
            lines = [place.partial for place in inputs.get("commands").items()]
            if lines:
                yield inputs.get("commands"), "\n".join(lines)
            else:
                yield from ((place, place.partial) for place in inputs.strings())
        return
    place = it.at(_USER_DATA[it.type])
    yield place, place.partial if it.type == CONTAINER_RECIPE else plain_text(place)


def _of_script(
    name: str,
    pure: Callable[[str], Iterable[Problem]],
    *,
    family: Family,
    why: str,
    bad: tuple[str, ...],
    good: tuple[str, ...],
    on: tuple[str, ...] = _SCRIPTED,
    severity: Severity = Severity.WARNING,
) -> None:
    @template_rule(name, family=family, severity=severity, on=on, why=why, bad=bad, good=(*good, *_GOOD))
    def check(it: Resource) -> Iterator[Problem]:
        for place, text in scripts(it):
            yield from below(place, pure(text))


_of_script(
    "PlainHttp",
    commands.plain_http,
    family=Family.LEAKS,
    why="Whoever sits between the build and the server bakes what he likes into the image.",
    bad=(
        _bash("curl -fsS http://example.com/web.tgz | tar xz", "sha256sum -c sums"),
        _user_data("#!/bin/sh\\nwget http://example.com/agent.rpm"),
        _component(
            "{commands: ['Invoke-WebRequest http://example.com/a.msi -OutFile a.msi; Get-FileHash a.msi']}",
            "ExecutePowerShell",
        ),
    ),
    good=(
        _bash(
            "curl http://169.254.169.254/latest/meta-data/",
            "curl -f http://localhost:8080/health",
            "echo http://example.com",
        ),
        _bash("# curl http://example.com"),
    ),
)
_of_script(
    "UnverifiedDownload",
    commands.unverified_download,
    family=Family.LEAKS,
    why="Whatever the server sends that day is baked into the image, and run as root.",
    bad=(
        _bash("curl -fsSL https://example.com/install.sh | sudo bash"),
        _bash("curl -o /tmp/agent.rpm https://example.com/agent.rpm", "rpm -i /tmp/agent.rpm"),
        _bash("wget -q https://example.com/tool"),
        _bash('bash -c "$(curl -fsSL https://example.com/install.sh)"'),
        _component("{commands: ['iex (iwr https://example.com/install.ps1)']}", "ExecutePowerShell"),
        _user_data("#!/bin/sh\\ncurl -sSL https://example.com/x.tgz | tar xz"),
    ),
    good=(
        _bash("curl -o tool https://example.com/tool", "echo 0123 tool | sha256sum -c"),
        _bash("curl -fsS https://example.com/health", "# curl -o x https://example.com"),
        _bash("curl -fsSL https://example.com/key.asc | gpg --dearmor -o /etc/apt/keyrings/k.gpg"),
        _bash("curl -s -o /tmp/answer http://localhost/", "command -v curl > /dev/null"),
        _bash("curl -o /tmp/agent.rpm https://amazoncloudwatch-agent.s3.amazonaws.com/agent.rpm"),
    ),
)
_of_script(
    "CertificateIgnored",
    commands.certificate_ignored,
    family=Family.LEAKS,
    why="Whoever sits between the build and the server bakes what he likes into the image.",
    bad=(
        _bash("curl -k https://example.com/web.tgz"),
        _bash("curl -fsSLk https://example.com/web.tgz"),
        _bash("wget --no-check-certificate https://example.com/web.tgz"),
        _bash("curl --insecure https://example.com"),
    ),
    good=(_bash("curl --keepalive https://example.com", "curl -K config", "# curl -k https://example.com"),),
)
_of_script(
    "InteractiveInstall",
    commands.interactive_install,
    family=Family.FAILS,
    why="The package manager asks, nobody answers, and the step fails.",
    bad=(
        _bash("yum install httpd"),
        _bash("sudo apt-get update && sudo apt-get install nginx"),
        _bash("dnf upgrade"),
    ),
    good=(
        _bash(
            "apt-get -qy install nginx",
            "yum -y update",
            "dnf install --assumeyes httpd",
            "apt-get update",
            "yum clean all",
        ),
        _bash(
            "yum list installed",
            "# yum install httpd",
            "DEBIAN_FRONTEND=noninteractive apt-get -o A=b -y install nginx",
        ),
    ),
)
_of_script(
    "LookupWithoutOwner",
    commands.lookup_in_commands,
    family=Family.LEAKS,
    why="Anybody can publish an AMI under the name, and is found first when it is the newest.",
    bad=(_bash("aws ec2 describe-images --filters Name=name,Values=al2023-ami-*"),),
    good=(
        _bash("aws ec2 describe-images --owners amazon --filters Name=name,Values=al2023-ami-*"),
        _bash("aws ec2 describe-images --image-ids ami-0123456789abcdef0"),
    ),
)
_of_script(
    "LoginBaked",
    commands.login_baked,
    family=Family.LEAKS,
    why="Whoever holds the other half logs in to every instance that is ever made of the image.",
    bad=(_bash("echo ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ ops >> ~/.ssh/authorized_keys"),),
    good=(_bash("ssh-keygen -A", "rm -f /home/ec2-user/.ssh/authorized_keys"),),
    on=(COMPONENT, CONTAINER_RECIPE, RECIPE),
)
_of_script(
    "SecretInUserData",
    commands.secret_in_user_data,
    family=Family.LEAKS,
    why="Whoever may describe the instance, and whatever runs on it, reads the secret.",
    bad=(
        _user_data("#!/bin/sh\\nexport DB_PASSWORD=hunter2x"),
        _user_data("aws_secret_access_key: AKIAIOSFODNN7EXAMPLE"),
    ),
    good=(_user_data("#!/bin/sh\\nexport DB_PASSWORD=$(aws secretsmanager get-secret-value)"),),
    on=(*_WITH_USER_DATA, CONTAINER_RECIPE),
)


@template_rule(
    "WebDownload",
    family=Family.LEAKS,
    severity=Severity.WARNING,
    on=(COMPONENT,),
    why="Whatever the server, or whoever sits before it, sends that day is baked into the image.",
    source=f"{_ACTIONS}#action-modules-webdownload",
    bad=(
        _component("[{source: 'https://example.com/a.rpm', destination: /tmp/a.rpm}]", "WebDownload"),
        _component(
            "[{source: 'http://example.com/a', destination: /tmp/a, checksum: 0a, algorithm: SHA256}]", "WebDownload"
        ),
        _component(
            "[{source: 'https://example.com/a', destination: /tmp/a, checksum: 0a, algorithm: SHA256, "
            "ignoreCertificateErrors: true}]",
            "WebDownload",
        ),
    ),
    good=(
        _component(
            "[{source: 'https://example.com/a', destination: /a, checksum: 0a, algorithm: SHA256}]", "WebDownload"
        ),
        *_GOOD,
    ),
)
def web_download(it: Resource) -> Iterator[Problem]:
    """A step that downloads does so over https, and compares a checksum."""
    sealed = document_at(it)
    for _, at, step in sealed.steps() if sealed else ():
        if step.get("action") != "WebDownload":
            continue
        for entry in Place(step.get("inputs"), f"{it.get('Data').path}.{at}.inputs").items():
            source, checksum, ignore = (entry.get(key) for key in ("source", "checksum", "ignoreCertificateErrors"))
            if source.partial.lower().startswith("http://"):
                yield source.problem("downloads over http", fix="use https")
            if checksum.absent and not commands.from_aws(source.partial):
                yield checksum.problem("is missing", fix="give checksum and algorithm")
            if ignore.flag:
                yield ignore.problem("ignores the certificate of the other end", fix="drop it")


@template_rule(
    "LookupInCall",
    family=Family.LEAKS,
    on=_CUSTOM,
    why="Anybody can publish an AMI under the name, and is found first when it is the newest.",
    source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html",
    bad=(
        '{Create: \'{"service": "EC2", "action": "describeImages", "parameters": {"Filters": []}}\'}',
        '{Update: \'{"service": "ec2", "action": "DescribeImages"}\'}',
    ),
    good=(
        '{Create: \'{"service": "EC2", "action": "describeImages", "parameters": {"Owners": ["amazon"]}}\'}',
        '{Create: \'{"service": "EC2", "action": "describeImages", "parameters": {"ImageIds": ["ami-0a"]}}\'}',
        '{Create: \'{"service": "EC2", "action": "describeVpcs"}\'}',
        "{Create: nothing}",
    ),
)
def lookup_in_call(it: Resource) -> Iterator[Problem]:
    """A call that looks for an AMI says whose."""
    for key in ("Create", "Update"):
        call: Any = parsed_json(it.get(key).partial)
        asked = Place(call, it.get(key).path)
        if re.fullmatch(r"(?i)describe-?images(?:command)?", asked.get("action").partial):
            given = asked.get("parameters")
            if given.get("Owners").absent and given.get("ImageIds").absent:
                yield given.get("Owners").problem("is missing", fix="name the account that publishes the AMI")
