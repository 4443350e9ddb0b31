"""`cdk-ami check`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cdk_ami.cli.output import print_json, print_table

if TYPE_CHECKING:
    from cdk_ami.checks.template.engine import Acknowledgement
    from cdk_ami.checks.template.reports import Checked
    from cdk_ami.checks.template.values import Environment

_ACKNOWLEDGED: Final = re.compile(
    r"(?P<rule>[\w:-]+)(?:@(?P<resource>[^#=]+))?(?:#(?P<path>[^=]+))?=(?P<reason>.+)", re.DOTALL
)


@click.command()
@click.argument(
    "templates", nargs=-1, required=True, metavar="TEMPLATE...", type=click.Path(exists=True, path_type=Path)
)
@click.option("--json", "form", flag_value="json", help="Print JSON instead of a table.")
@click.option("--sarif", "form", flag_value="sarif", help="Print SARIF 2.1.0, for code scanning.")
@click.option("--junit", "form", flag_value="junit", help="Print JUnit XML, for whatever shows tests.")
@click.option(
    "--severity",
    type=click.Choice(["error", "warning"]),
    default="warning",
    help="Show findings from this severity on.  Left out: all.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="warning",
    help="Exit with 1 when something of this severity is found.  Left out: anything.",
)
@click.option(
    "--acknowledge",
    "acknowledged",
    multiple=True,
    metavar="RULE[@RESOURCE][#PATH]=REASON",
    help="Accept a finding; repeat it for more.",
)
@click.option(
    "--acknowledgements",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML or JSON file with a list of id, reason, and perhaps resource and path.",
)
@click.option("--region", help="Region of templates that do not say it.")
@click.option("--account", help="Account of templates that do not say it.")
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of a template's parameter; left out: its default.",
)
def check(  # noqa: PLR0917 - one for each option
    templates: tuple[Path, ...],
    form: str | None,
    severity: str,
    fail_on: str,
    acknowledged: tuple[str, ...],
    file: Path | None,
    region: str | None,
    account: str | None,
    parameters: tuple[str, ...],
) -> None:
    """Find what would fail, leak, cost or drift in CloudFormation templates, whoever wrote them.

    A TEMPLATE is a file of JSON or YAML, or a directory of them, such as cdk.out. Nothing is asked of AWS.

    \b
    Examples:
      cdk-ami check cdk.out
      cdk-ami check template.yaml --region eu-west-1 --fail-on error
      cdk-ami check cdk.out --sarif > findings.sarif
      cdk-ami check cdk.out --acknowledge 'KeyPair@Build=the lab has no Session Manager'

    \b
    Exit codes: 0 nothing found, 1 something found, 2 no template.
    """
    from cdk_ami.checks.template.registry import Severity  # noqa: PLC0415 - the rules take a moment to load
    from cdk_ami.checks.template.reports import as_json, as_junit, as_sarif, at_least  # noqa: PLC0415 - same

    known = [*_from_options(acknowledged), *(_from_file(file) if file else ())]
    given = dict(_pair(text) for text in parameters)
    checked = _checked(templates, known, region=region, account=account, parameters=given)
    shown = [one._replace(findings=at_least(one.findings, Severity(severity))) for one in checked]
    if form == "json":
        print_json(as_json(shown))
    elif form == "sarif":
        print_json(as_sarif(shown, version=version("cdk-ami")))
    elif form == "junit":
        click.echo(as_junit(shown), nl=False)
    else:
        _print(shown)
        _print_idle(checked, known)
    if fail_on != "never" and any(at_least(one.findings, Severity(fail_on)) for one in checked):
        raise click.exceptions.Exit(1)


def _checked(
    templates: Sequence[Path],
    known: Sequence[Acknowledgement],
    *,
    region: str | None,
    account: str | None,
    parameters: dict[str, str],
) -> list[Checked]:
    from cdk_ami.checks.template.assembly import sources_in  # noqa: PLC0415 - as above
    from cdk_ami.checks.template.engine import check_template  # noqa: PLC0415 - same
    from cdk_ami.checks.template.loading import TemplateError  # noqa: PLC0415 - same
    from cdk_ami.checks.template.reports import Checked  # noqa: PLC0415 - same

    found: list[Checked] = []
    for path in dict.fromkeys(templates):
        before = len(found)
        try:
            for source in sources_in(path):
                environment = _with(source.environment, region, account, parameters)
                own = source.acknowledgements
                outcome = check_template(source.body, environment=environment, acknowledgements=(*own, *known))
                found.append(Checked(source, outcome.findings, outcome.accepted, outcome.idle))
        except TemplateError as error:
            raise click.UsageError(str(error)) from None
        if len(found) == before:
            raise click.UsageError(f"{path} holds no template; name the directory that cdk synth writes, or a file")
    return found


def _with(environment: Environment, region: str | None, account: str | None, parameters: dict[str, str]) -> Environment:
    return environment._replace(
        region=environment.region or region, account=environment.account or account, parameters=parameters
    )


def _print(checked: Sequence[Checked]) -> None:
    rows = [
        [finding.severity, finding.family, finding.rule_id, finding.construct or finding.logical_id, finding.message]
        for one in checked
        for finding in one.findings
    ]
    if rows:
        print_table("Findings", ["Severity", "Family", "Rule", "Where", "What, and what to do"], rows)
    accepted = sum(len(one.accepted) for one in checked)
    told = f", {accepted} acknowledged" if accepted else ""
    found = "1 finding" if len(rows) == 1 else f"{len(rows)} findings"
    templates = "1 template" if len(checked) == 1 else f"{len(checked)} templates"
    click.echo(f"{found} in {templates}{told}.")


def _print_idle(checked: Sequence[Checked], known: Sequence[Acknowledgement]) -> None:
    for one in known:
        if all(one in each.idle for each in checked):
            click.echo(
                f"The acknowledgement of {one.rule_id} covers nothing: remove it, or mend its resource.", err=True
            )


def _from_options(texts: Sequence[str]) -> list[Acknowledgement]:
    from cdk_ami.checks.template.engine import Acknowledgement  # noqa: PLC0415 - as above

    found: list[Acknowledgement] = []
    for text in texts:
        parts = _ACKNOWLEDGED.fullmatch(text)
        if parts is None or not parts["reason"].strip():
            raise click.UsageError(f"--acknowledge is no RULE[@RESOURCE][#PATH]=REASON, got {text!r}; give a reason")
        found.append(
            Acknowledgement(parts["rule"], parts["reason"].strip(), parts["resource"] or "", parts["path"] or "")
        )
    return _of_known_rules(found)


def _from_file(file: Path) -> list[Acknowledgement]:
    import yaml  # noqa: PLC0415 - as above

    from cdk_ami.checks.template.engine import Acknowledgement  # noqa: PLC0415 - same

    try:
        data: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file} is neither YAML nor JSON: {error}") from None
    entries = data if isinstance(data, list) else [data]
    found: list[Acknowledgement] = []
    for entry in entries:
        texts = isinstance(entry, dict) and all(isinstance(item, str) for pair in entry.items() for item in pair)
        if not texts or not {"id", "reason"} <= set(entry) <= {"id", "reason", "resource", "path"}:
            raise click.UsageError(
                f"{file} is no list of id, reason, resource and path, got {entry!r}; give id and reason"
            )
        found.append(Acknowledgement(entry["id"], entry["reason"], entry.get("resource", ""), entry.get("path", "")))
    return _of_known_rules(found)


def _of_known_rules(found: list[Acknowledgement]) -> list[Acknowledgement]:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

    from cdk_ami.checks.template.registry import all_rules  # noqa: PLC0415 - as above

    names = [rule.removeprefix("cdk-ami::") for rule in all_rules()]
    for one in found:
        name = one.rule_id.removeprefix("cdk-ami::")
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see docs/reference/checks.md"
            raise click.UsageError(f"no rule is called {one.rule_id!r}; {hint}")
    return found


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.UsageError(f"--parameter is no NAME=VALUE, got {text!r}; write it as Size=large")
    return name, value
