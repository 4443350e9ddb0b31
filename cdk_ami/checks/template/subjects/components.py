"""Rules over component documents in a template, which are the rules that components of the library keep."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cdk_ami.checks import components, documents
from cdk_ami.checks.rule import Problem, is_token
from cdk_ami.checks.template.places import Place, Resource, known_part
from cdk_ami.checks.template.registry import Family, Severity, below, bind, template_rule
from cdk_ami.checks.template.types import COMPONENT, WORKFLOW
from cdk_ami.checks.template.values import TOKEN
from cdk_ami.limits import INLINE_DOCUMENT_MAX_CHARS
from cdk_ami.naming import normalized
from cdk_ami.recipe.yaml_text import Kind, YamlFaultError, parse_yaml

_IB: Final = "https://docs.aws.amazon.com/imagebuilder/latest/APIReference/"
_GUIDE: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/"
_PLACEHOLDER: Final = re.compile("tokenX([0-9]+)X")


class Read(NamedTuple):
    """A document as the rules see it.

    Attributes:
        sealed: Its data, None when they cannot be read.
        unreadable: What makes it unreadable.
    """

    sealed: documents.Sealed | None
    unreadable: tuple[Problem, ...] = ()


_UNREADABLE: Final = {
    Kind.SYNTAX: documents.document_syntax,
    Kind.TABS: documents.document_tabs,
    Kind.KEYS: documents.document_keys,
}


@lru_cache(maxsize=256)
def read(text: str) -> Read:
    """Return the document in ``text``; tokens in it stand for texts that are not known."""
    tokens: list[str] = []

    def hidden(found: re.Match[str]) -> str:
        tokens.append(found[0])
        return f"tokenX{len(tokens) - 1}X"

    try:
        data = parse_yaml(TOKEN.sub(hidden, text))
    except YamlFaultError as error:
        return Read(None, tuple(_UNREADABLE[error.kind](error.found)))
    sealed = documents.Sealed(_shown(data, tokens))
    unreadable = tuple(documents.document_mapping(sealed))
    return Read(None, unreadable) if unreadable else Read(sealed)


def document_at(it: Resource) -> documents.Sealed | None:
    """Return the document of a component, None when there is none to read."""
    text = it.get("Data").partial
    return read(text).sealed if known_part(text).strip() else None


def _shown(value: Any, tokens: list[str]) -> Any:
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: tokens[int(found[1])], value)
    if isinstance(value, dict):
        return {_shown(key, tokens): _shown(item, tokens) for key, item in value.items()}
    return [_shown(item, tokens) for item in value] if isinstance(value, list) else value


_GOOD: Final = """
Name: apache
Version: 1.0.0
Platform: Linux
Data: |
  schemaVersion: 1.0
  parameters: [{Package: {type: string, default: httpd}}]
  phases:
    - name: build
      steps:
        - name: Install
          action: ExecuteBash
          inputs: {commands: ["dnf install -y {{ Package }}"]}
"""
_LATER: Final = """
Name: apache
Version: 1.0.0
Platform: Linux
Data: !Sub |
  schemaVersion: 1.0
  phases:
    - name: build
      steps:
        - name: Fetch
          action: S3Download
          timeoutSeconds: ${Seconds}
          inputs: [{source: "s3://${Bucket}/web.tgz", destination: /opt/web.tgz, overwrite: ${Overwrite}}]
"""


def _document(phases: str, *, head: str = "", platform: str = "Linux") -> str:
    lines = "\n".join(f"  {line}" for line in f"schemaVersion: 1.0\n{head}\nphases:\n{phases}".splitlines() if line)
    return f"Name: apache\nVersion: 1.0.0\nPlatform: {platform}\nData: |\n{lines}\n"


def _step(inner: str, *, phase: str = "build", name: str = "One") -> str:
    return f"- name: {phase}\n  steps:\n    - {{name: {name}, {inner}}}"


_BASH: Final = "action: ExecuteBash, inputs: {commands: [hostname]}"


def _of_text(
    name: str, pure: Callable[..., Iterable[Problem]], why: str, bad: tuple[str, ...], family: Family = Family.FAILS
) -> None:
    bind(
        pure,
        rule=name,
        family=family,
        where={COMPONENT: ("Data",)},
        reads=lambda place: place.text,
        why=why,
        bad=bad,
        good=(_GOOD, _LATER),
        module=__name__,
    )


_REFUSED: Final = "The service refuses the component, or the build fails when it gets there."

_of_text("DocumentText", documents.document_text, _REFUSED, ("{Name: a, Version: 1.0.0, Platform: Linux, Data: ' '}",))
_of_text(
    "DocumentSize",
    documents.document_size,
    _REFUSED,
    (f"{{Name: a, Version: 1.0.0, Platform: Linux, Data: '{'x' * 64_001}'}}",),
)


def _unreadable(name: str, bad: str) -> None:
    rule_id = f"cdk-ami::{name}"

    @template_rule(name, family=Family.FAILS, on=(COMPONENT,), why=_REFUSED, bad=(bad,), good=(_GOOD, _LATER))
    def check(it: Resource) -> Iterator[Problem]:
        text = it.get("Data").partial
        if known_part(text).strip():
            found = (problem for problem in read(text).unreadable if problem.rule == rule_id)
            yield from below(it.get("Data"), found)


_unreadable("DocumentSyntax", "Name: a\nVersion: 1.0.0\nPlatform: Linux\nData: 'phases: [a'")
_unreadable("DocumentTabs", 'Name: a\nVersion: 1.0.0\nPlatform: Linux\nData: "phases:\\n\\t- name: build"')
_unreadable("DocumentKeys", 'Name: a\nVersion: 1.0.0\nPlatform: Linux\nData: "phases: []\\nphases: []"')
_unreadable("DocumentMapping", "{Name: a, Version: 1.0.0, Platform: Linux, Data: hello}")


def _of_document(
    name: str,
    pure: Callable[[documents.Sealed], Iterable[Problem]],
    bad: tuple[str, ...],
    *,
    family: Family = Family.FAILS,
    severity: Severity | None = None,
    why: str = _REFUSED,
) -> None:
    @template_rule(name, family=family, severity=severity, on=(COMPONENT,), why=why, bad=bad, good=(_GOOD, _LATER))
    def check(it: Resource) -> Iterator[Problem]:
        sealed = document_at(it)
        if sealed is not None:
            # What only the deployment knows is a text here, and may be a number or a truth in the end.
            yield from below(it.get("Data"), (found for found in pure(sealed) if not is_token(found.got)))


_of_document(
    "DocumentShape",
    documents.document_shape,
    (
        "{Name: a, Version: 1.0.0, Platform: Linux, Data: '{schemaVersion: 1.0}'}",
        _document("- name: build\n  steps: []"),
        _document("- name: build\n  steps: [{name: One}]"),
    ),
)
_of_document("ActionInputs", documents.action_inputs, (_document(_step("action: ExecuteBash, inputs: {}")),))
_of_document("PhaseName", documents.phase_names, (_document(_step(_BASH, phase="biuld")),))
_of_document(
    "StepName",
    documents.step_names,
    (_document(f"- name: build\n  steps:\n    - {{name: A, {_BASH}}}\n    - {{name: A, {_BASH}}}"),),
)
_of_document(
    "VariableName",
    documents.variable_names,
    (_document(_step(_BASH), head="parameters: [{P: {type: string, default: x}}]"),),
)
_of_document(
    "Expression",
    documents.expressions,
    (_document(_step("action: ExecuteBash, inputs: {commands: ['echo {{ Missing }}']}")),),
)
_of_document(
    "Chain",
    documents.chains,
    (_document(_step("action: ExecuteBash, inputs: {commands: ['echo {{ build.Two.outputs.stdout }}']}")),),
)
_of_document(
    "Loop",
    documents.loops,
    (_document(_step(f"loop: {{for: {{start: 1, end: 3, updateBy: 0}}}}, {_BASH}")),),
)
_of_document("Condition", documents.conditions, (_document(_step(f"if: {{and: []}}, {_BASH}")),))
_of_document(
    "NulCharacter",
    documents.nul_characters,
    (_document(_step(r'action: ExecuteBash, inputs: {commands: ["a\0b"]}')),),
)
_of_document(
    "UnknownAction",
    documents.unknown_actions,
    (_document(_step("action: ExecuteBsh, inputs: {commands: [hostname]}")),),
    severity=Severity.WARNING,
)
_of_document(
    "UnknownKey",
    documents.unknown_keys,
    (_document(_step(f"onFailur: Ignore, {_BASH}")),),
    severity=Severity.WARNING,
)
_of_document(
    "SecretInDocument",
    documents.secrets_written,
    (_document(_step("action: ExecuteBash, inputs: {commands: ['export DB_PASSWORD=hunter2x']}")),),
    family=Family.LEAKS,
    severity=Severity.WARNING,
    why="Whoever may read the component, the template or the log of a build reads the secret.",
)


@template_rule(
    "ActionPlatform",
    family=Family.FAILS,
    on=(COMPONENT,),
    why="The build fails at the step.",
    bad=(_document(_step(_BASH), platform="Windows"),),
    good=(_GOOD, _LATER),
)
def action_platform(it: Resource) -> Iterator[Problem]:
    """A step's action exists on the operating system."""
    sealed, platform = document_at(it), it.get("Platform").text
    if sealed is not None and platform in {"Linux", "Windows"}:
        yield from below(it.get("Data"), documents.action_platforms(sealed, platform))


@template_rule(
    "InlineDocument",
    family=Family.FAILS,
    on=(COMPONENT, WORKFLOW),
    why="The service refuses the request, and the deployment fails.",
    source=f"{_IB}API_CreateComponent.html#imagebuilder-CreateComponent-request-data",
    bad=(f"{{Name: a, Version: 1.0.0, Platform: Linux, Data: '{'#' * (INLINE_DOCUMENT_MAX_CHARS + 1)}'}}",),
    good=(_GOOD, f"{{Name: a, Version: 1.0.0, Platform: Linux, Data: '{'#' * INLINE_DOCUMENT_MAX_CHARS}'}}"),
)
def inline_document(it: Resource) -> Iterator[Problem]:
    """A document in the template has at most 16,000 characters."""
    data = it.get("Data")
    size = len(known_part(data.partial))
    if size > INLINE_DOCUMENT_MAX_CHARS:
        yield data.problem(f"has {size:,} characters", got=size, fix="put it into S3 and name it in Uri")


@template_rule(
    "DocumentGiven",
    family=Family.FAILS,
    on=(COMPONENT, WORKFLOW),
    why="The service takes exactly one of the two.",
    source=f"{_IB}API_CreateComponent.html",
    bad=(
        "{Name: a, Version: 1.0.0, Platform: Linux}",
        "{Name: a, Version: 1.0.0, Platform: Linux, Data: 'phases: []', Uri: 's3://bucket/a.yaml'}",
        "{Name: a, Version: 1.0.0, Platform: Linux, Uri: 'https://bucket/a.yaml'}",
    ),
    good=(
        _GOOD,
        "{Name: a, Version: 1.0.0, Platform: Linux, Uri: 's3://bucket/a.yaml'}",
        "{Name: a, Version: 1.0.0, Platform: Linux, Data: !If [Inline, x, !Ref AWS::NoValue], Uri: !If [Inline, !Ref AWS::NoValue, y]}",
        "Web: {Type: AWS::ImageBuilder::Component, Properties: !Ref Elsewhere}",
    ),
)
def document_given(it: Resource) -> Iterator[Problem]:
    """A component or workflow has its document in Data, or in S3 under Uri."""
    data, uri = it.get("Data"), it.get("Uri")
    if data.absent and uri.absent:
        yield data.problem("is missing, and Uri is too", fix="give the document, or where in S3 it is")
    elif data.given and uri.given:
        yield uri.problem("is given beside Data", fix="keep one of the two")
    elif uri.text is not None and not uri.text.startswith("s3://"):
        yield uri.problem("is no S3 URI", fix="write it as s3://BUCKET/KEY")


@template_rule(
    "FixedVersion",
    family=Family.FAILS,
    on=(COMPONENT, WORKFLOW),
    why="The service takes wildcards for recipes only: the deployment fails.",
    source=f"{_IB}API_CreateComponent.html#imagebuilder-CreateComponent-request-semanticVersion",
    bad=(
        "{Name: a, Version: 1.0.x, Platform: Linux, Data: 'phases: []'}",
        "{Name: a, Version: '1.0', Platform: Linux, Data: 'phases: []'}",
        "{Name: a, Version: 1.0.1073741824, Platform: Linux, Data: 'phases: []'}",
    ),
    good=(_GOOD, "{Name: a, Version: 1.0.1073741823, Platform: Linux, Data: 'phases: []'}"),
)
def fixed_version(it: Resource) -> Iterator[Problem]:
    """A version of a component or workflow is three numbers, none of them a wildcard."""
    version = it.get("Version")
    if version.text is not None and not _is_version(version.text):
        yield version.problem(
            "is no version of three numbers",
            fix="write it as 1.0.0: builds of the same version are numbered by the service",
        )


def _is_version(text: str) -> bool:
    nodes = text.split(".")
    return len(nodes) == 3 and all(re.fullmatch("[0-9]+", node) and int(node) < 2**30 for node in nodes)  # noqa: PLR2004


bind(
    components.supported_os,
    rule="SupportedOs",
    family=Family.FAILS,
    where={COMPONENT: ("SupportedOsVersions",)},
    reads=lambda place: place.texts,
    why=_REFUSED,
    bad=("{Name: a, Version: 1.0.0, Platform: Linux, Data: 'phases: []', SupportedOsVersions: []}",),
    good=("{Name: a, Version: 1.0.0, Platform: Linux, Data: 'phases: []', SupportedOsVersions: [Amazon Linux 2023]}",),
    module=__name__,
)


@template_rule(
    "ComponentOnce",
    family=Family.FAILS,
    on=(COMPONENT,),
    why="The second cannot be created: the name and the version are taken.",
    source=f"{_IB}API_CreateComponent.html",
    bad=(
        """
One: {Type: AWS::ImageBuilder::Component, Properties: {Name: web server, Version: 1.0.0, Platform: Linux, Uri: s3://b/a}}
Two: {Type: AWS::ImageBuilder::Component, Properties: {Name: Web-Server, Version: 1.0.0, Platform: Linux, Uri: s3://b/a}}
""",
    ),
    good=(
        """
One: {Type: AWS::ImageBuilder::Component, Properties: {Name: web, Version: 1.0.0, Platform: Linux, Uri: s3://b/a}}
Two: {Type: AWS::ImageBuilder::Component, Properties: {Name: web, Version: 1.0.1, Platform: Linux, Uri: s3://b/b}}
Six: {Type: AWS::ImageBuilder::Component, Properties: {Name: mail, Version: 1.0.1, Platform: Linux, Uri: s3://b/b}}
""",
    ),
)
def component_once(it: Resource) -> Iterator[Problem]:
    """Two components of a template differ in name or version; case, blanks and underscores make no difference."""
    other = it.twin(_identity)
    if other is not None:
        told = f"is with its version that of {other.logical_id} as well"
        yield it.get("Name").problem(told, fix="give one of them another name")


def _identity(it: Resource) -> tuple[str, str] | None:
    name, version = it.get("Name").text, it.get("Version").text
    return (normalized(name), version) if name and version else None


@template_rule(
    "TestFailureIgnored",
    family=Family.COSTS,
    on=(COMPONENT,),
    why="A broken image passes its tests and is distributed.",
    source=f"{_GUIDE}toe-use-documents.html",
    bad=(
        _document(_step(f"onFailure: Ignore, {_BASH}", phase="test")),
        _document(_step(f"onFailure: Ignore, {_BASH}", phase="validate")),
    ),
    good=(
        _GOOD,
        _document(_step(f"onFailure: Ignore, {_BASH}", phase="build")),
        _document(_step(f"onFailure: Abort, {_BASH}", phase="test")),
    ),
)
def ignored_failure(it: Resource) -> Iterator[Problem]:
    """A step that tests an image fails the build when it fails."""
    sealed = document_at(it)
    for phase, at, step in sealed.steps() if sealed else ():
        if phase in {"validate", "test", "container-host-test"} and step.get("onFailure") == "Ignore":
            place = Place(step, f"{it.get('Data').path}.{at}").get("onFailure")
            yield place.problem(
                "lets the image pass whatever is found", fix="use Abort, or Continue to run the rest first"
            )
