"""Secrets that a step reads on the instance, into variables of its own.

A secret's value is never in the template, the document or a log: the step asks for it with the build's role when it
runs, and keeps it in an environment variable that ends with the step.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from aws_cdk import aws_secretsmanager as secretsmanager
    from aws_cdk import aws_ssm as ssm

    SecretSource = secretsmanager.ISecret | ssm.IStringParameter
    """Where the value of a secret lies."""

_NO_CLI: Final = (
    "this step reads secrets with the AWS CLI, which is not there: put the component aws-cli-version-2-linux before it"
)
_NO_TOOLS: Final = (
    "this step reads secrets with the AWS Tools for PowerShell or the AWS CLI, and neither is there: "
    "put the component aws-cli-version-2-windows before it"
)
_SHELLS: Final = ("ExecuteBash", "ExecutePowerShell")


class _Place(NamedTuple):
    arn: str
    name: str
    is_parameter: bool


def weave(data: Mapping[str, Any], secrets: Mapping[str, SecretSource]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the document in which each step reads the secrets that it names, and the secrets that some step names.

    A step names a secret by the name of its variable, in its commands.

    Args:
        data: The document.
        secrets: The secrets by the names of their variables.
    """
    used: set[str] = set()
    places = {name: _place(source) for name, source in secrets.items()}
    phases = []
    for phase in data["phases"]:
        steps = []
        for step in phase["steps"]:
            named = _named(step, places)
            used.update(named)
            steps.append(_reading(step, {name: places[name] for name in named}) if named else step)
        phases.append({**phase, "steps": steps})
    return {**data, "phases": phases}, frozenset(used)


def _named(step: Mapping[str, Any], places: Mapping[str, _Place]) -> list[str]:
    commands = (step.get("inputs") or {}).get("commands") if step.get("action") in _SHELLS else None
    script = "\n".join(str(command) for command in commands or ())
    return [name for name in places if re.search(rf"\b{re.escape(name)}\b", script)]


def _reading(step: Mapping[str, Any], places: Mapping[str, _Place]) -> dict[str, Any]:
    commands: Sequence[Any] = step["inputs"]["commands"]
    prelude = (_bash if step["action"] == "ExecuteBash" else _powershell)(places)
    return {**step, "inputs": {**step["inputs"], "commands": [prelude, *commands]}}


def _bash(places: Mapping[str, _Place]) -> str:
    lines = [f"command -v aws > /dev/null || {{ echo '{_NO_CLI}' >&2; exit 1; }}"]
    for name, place in places.items():
        # The fourth part of an ARN is its Region.
        lines += [f"arn='{place.arn}'; region=${{arn#arn:*:*:}}; region=${{region%%:*}}"]
        lines += [f'{name}="$(aws {_call(place)} --region "$region" --output text)" || exit 1', f"export {name}"]
    return "\n".join(lines)


def _powershell(places: Mapping[str, _Place]) -> str:
    lines = ["$ErrorActionPreference = 'Stop'"]
    for name, place in places.items():
        read = (
            f"(Get-SSMParameter -Name '{place.name}' -WithDecryption $true -Region $region).Value"
            if place.is_parameter
            else f"(Get-SECSecretValue -SecretId '{place.arn}' -Region $region).SecretString"
        )
        cmdlet = read[1:].partition(" ")[0]
        lines.append(f"$region = '{place.arn}'.Split(':')[3]")
        lines.append(f"if (Get-Command {cmdlet} -ErrorAction SilentlyContinue) {{")
        lines.append(f"  $env:{name} = {read}")
        lines.append("} elseif (Get-Command aws -ErrorAction SilentlyContinue) {")
        lines.append(f'  $env:{name} = (aws {_call(place)} --region $region --output text) -join "`n"')
        lines.append("  if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }")
        lines.append(f"}} else {{\n  throw '{_NO_TOOLS}'\n}}")
    return "\n".join(lines)


def _call(place: _Place) -> str:
    if place.is_parameter:
        return f"ssm get-parameter --name '{place.name}' --with-decryption --query Parameter.Value"
    return f"secretsmanager get-secret-value --secret-id '{place.arn}' --query SecretString"


def _place(source: Any) -> _Place:
    if hasattr(source, "secret_arn"):
        return _Place(source.secret_arn, "", is_parameter=False)
    return _Place(source.parameter_arn, source.parameter_name, is_parameter=True)
