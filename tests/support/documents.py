"""Strategies for Hypothesis: component documents that the typed builder can make.

`component_documents` draws from all that the builder offers.  `runnable_documents` draws documents that any Linux
machine with bash can run without harm: they echo, chain, loop, compare, fail and retry, and touch nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

from cdk_ami.checks.documents import PHASES
from cdk_ami.recipe import actions, conditions
from cdk_ami.recipe.actions import Action
from cdk_ami.recipe.builder import (
    ComponentDocument,
    Constant,
    For,
    ForEach,
    ForEachPart,
    OnFailure,
    Parameter,
    Phase,
    Step,
)
from cdk_ami.recipe.conditions import Condition, If, Operator, Outcome

NAMES: Final = st.text("abcdefgh-_XYZ019", min_size=3, max_size=8)
TEXTS: Final = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20).filter(
    lambda text: "{{" not in text
)
LINES: Final = st.text("abc XYZ019.,:-_/", min_size=1, max_size=12)
FLAGS: Final = st.none() | st.booleans()
NUMBERS: Final = st.integers(-1000, 1000) | st.floats(-1000, 1000)
STAGES: Final = (("build", "validate"), ("test", "container-host-test"))


def _optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def _msi(kind: type[actions.InstallMSI | actions.UninstallMSI]) -> st.SearchStrategy[Action]:
    return st.builds(
        kind,
        path=TEXTS,
        reboot=st.sampled_from([None, "Allow", "Force", "Skip"]),
        log_options=_optional(TEXTS),
        log_file=_optional(TEXTS),
        properties=_optional(st.dictionaries(NAMES, TEXTS, max_size=2)),
        ignore_authenticode_signature_errors=FLAGS,
        allow_unsigned_installer=FLAGS,
    )


def _moves(kind: Callable[..., Action]) -> st.SearchStrategy[Action]:
    return st.builds(kind, source=TEXTS, destination=TEXTS, overwrite=FLAGS)


_COMMANDS: Final = st.lists(TEXTS, min_size=1, max_size=3)
_OWNED: Final[dict[str, Any]] = {
    "path": TEXTS,
    "owner": _optional(TEXTS),
    "group": _optional(TEXTS),
    "permissions": _optional(st.sampled_from(["0644", "755"])),
    "overwrite": FLAGS,
}

COMPARISONS: Final = st.one_of(
    st.builds(conditions.compare, NUMBERS | TEXTS, st.sampled_from(Operator), NUMBERS | TEXTS),
    st.builds(conditions.is_empty, TEXTS),
    st.builds(conditions.is_blank, TEXTS),
    st.builds(conditions.binary_exists, LINES),
    st.builds(conditions.file_exists, LINES),
    st.builds(conditions.folder_exists, LINES),
    st.builds(conditions.file_hash_is, LINES, LINES, algorithm=st.sampled_from(["MD5", "SHA1", "SHA256", "SHA512"])),
)


def conditions_of(comparisons: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    """Return conditions that join ``comparisons`` by and, or and not."""
    return st.recursive(
        comparisons,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda some: conditions.all_of(*some)),
            st.lists(inner, min_size=1, max_size=3).map(lambda some: conditions.any_of(*some)),
            inner.map(lambda one: ~one),
        ),
        max_leaves=4,
    )


ACTIONS: Final[dict[str, st.SearchStrategy[Action]]] = {
    "AppendFile": st.builds(actions.AppendFile, path=TEXTS, content=_optional(TEXTS), encoding=_optional(TEXTS)),
    "Assert": st.builds(actions.Assert, conditions_of(COMPARISONS)),
    "CopyFile": _moves(actions.CopyFile),
    "CopyFolder": _moves(actions.CopyFolder),
    "CreateFile": st.builds(actions.CreateFile, content=_optional(TEXTS), encoding=_optional(TEXTS), **_OWNED),
    "CreateFolder": st.builds(actions.CreateFolder, **_OWNED),
    "CreateSymlink": st.builds(actions.CreateSymlink, path=TEXTS, target=TEXTS, force=FLAGS),
    "DeleteFile": st.builds(actions.DeleteFile, path=TEXTS),
    "DeleteFolder": st.builds(actions.DeleteFolder, path=TEXTS, force=FLAGS),
    "ExecuteBash": st.builds(actions.ExecuteBash, commands=_COMMANDS) | st.builds(actions.bash, TEXTS),
    "ExecuteBinary": st.builds(actions.ExecuteBinary, path=TEXTS, arguments=_optional(st.lists(TEXTS, max_size=2))),
    "ExecuteDocument": st.builds(
        actions.ExecuteDocument,
        document=TEXTS,
        bucket_owner=_optional(st.just("123456789012")),
        phases=_optional(st.just("build")),
        parameters=_optional(st.dictionaries(NAMES, TEXTS, max_size=2)),
    ),
    "ExecutePowerShell": st.one_of(
        st.builds(actions.ExecutePowerShell, commands=_COMMANDS),
        st.builds(actions.ExecutePowerShell, file=TEXTS),
        st.builds(actions.powershell, TEXTS),
    ),
    "InstallMSI": _msi(actions.InstallMSI),
    "ListFiles": st.builds(actions.ListFiles, path=TEXTS, file_name_pattern=_optional(TEXTS), recursive=FLAGS),
    "MoveFile": _moves(actions.MoveFile),
    "MoveFolder": _moves(actions.MoveFolder),
    "ReadFile": st.builds(actions.ReadFile, path=TEXTS, encoding=_optional(TEXTS), print_file_content=FLAGS),
    "Reboot": st.builds(actions.Reboot, delay_seconds=_optional(st.integers(0, 60))),
    "S3Download": st.builds(
        actions.S3Download,
        source=TEXTS,
        destination=TEXTS,
        expected_bucket_owner=_optional(st.just("123456789012")),
        overwrite=FLAGS,
    ),
    "S3Upload": st.builds(
        actions.S3Upload,
        source=TEXTS,
        destination=TEXTS,
        recurse=FLAGS,
        expected_bucket_owner=_optional(st.just("123456789012")),
    ),
    "SetFileEncoding": st.builds(actions.SetFileEncoding, path=TEXTS, encoding=_optional(TEXTS)),
    "SetFileOwner": st.builds(actions.SetFileOwner, path=TEXTS, owner=TEXTS, group=_optional(TEXTS)),
    "SetFilePermissions": st.builds(actions.SetFilePermissions, path=TEXTS, permissions=TEXTS),
    "SetFolderOwner": st.builds(
        actions.SetFolderOwner, path=TEXTS, owner=TEXTS, group=_optional(TEXTS), recursive=FLAGS
    ),
    "SetFolderPermissions": st.builds(actions.SetFolderPermissions, path=TEXTS, permissions=TEXTS, recursive=FLAGS),
    "SetRegistry": st.builds(
        actions.SetRegistry,
        path=TEXTS,
        name=TEXTS,
        value=TEXTS | st.integers(0, 99) | st.lists(TEXTS, max_size=2),
        type=st.sampled_from(["BINARY", "DWORD", "QWORD", "SZ", "EXPAND_SZ", "MULTI_SZ"]),
    ),
    "UninstallMSI": _msi(actions.UninstallMSI),
    "UpdateOS": st.builds(
        actions.UpdateOS, include=_optional(st.lists(TEXTS, max_size=2)), exclude=_optional(st.lists(TEXTS, max_size=2))
    ),
    "WebDownload": st.builds(
        actions.WebDownload,
        source=TEXTS,
        destination=TEXTS,
        overwrite=FLAGS,
        checksum=_optional(TEXTS),
        algorithm=st.sampled_from([None, "MD5", "SHA1", "SHA256", "SHA512"]),
        ignore_certificate_errors=FLAGS,
    ),
}
"""Strategies for the actions, by the names of their modules."""


def _whens(comparisons: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition | If | None]:
    some = conditions_of(comparisons)
    outcomes = st.none() | st.sampled_from(Outcome)
    return st.none() | some | st.builds(If, condition=some, then=outcomes, otherwise=outcomes)


@st.composite
def _loops(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> For | ForEach | ForEachPart:
    kind = draw(st.sampled_from(["for", "each", "part"]))
    if kind == "for":
        start, turns, by = draw(st.integers(-5, 5)), draw(st.integers(0, 3)), draw(st.sampled_from([-2, -1, 1, 2]))
        return For(start=start, end=start + turns * by, update_by=by)
    if kind == "each":
        return ForEach(values=draw(st.lists(texts, min_size=1, max_size=3)))
    return ForEachPart(text=draw(texts.filter(bool)), delimiter=draw(st.sampled_from([",", ".", ";", "\n", "-"])))


@st.composite
def component_documents(draw: st.DrawFn) -> ComponentDocument:
    """Draw any document of the builder, with every action, for any system."""
    variables = draw(st.lists(NAMES, max_size=3, unique=True))
    parameters = [Parameter(name, default=draw(_optional(TEXTS))) for name in variables[:2]]
    constants = [Constant(name, draw(TEXTS)) for name in variables[2:]]
    refs = [*(one.ref for one in parameters), *(one.ref for one in constants)]
    texts = st.one_of([TEXTS, *(st.just(ref) for ref in refs)])
    phases = []
    for phase in draw(st.lists(st.sampled_from(PHASES), min_size=1, unique=True)):
        steps = []
        for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
            module = draw(st.sampled_from(sorted(ACTIONS)))
            one = draw(ACTIONS[module])
            action = [one, draw(ACTIONS[module])] if one.LISTED and draw(st.booleans()) else one
            steps.append(
                Step(
                    name,
                    action,
                    when=draw(_whens(COMPARISONS)),
                    loop=draw(_optional(_loops(texts))),
                    timeout_seconds=draw(_optional(st.just(-1) | st.integers(1, 7_200))),
                    on_failure=draw(st.none() | st.sampled_from(OnFailure)),
                    max_attempts=draw(_optional(st.integers(1, 5))),
                )
            )
        phases.append(Phase(phase, steps))
    return ComponentDocument(
        name=draw(NAMES),
        description=draw(TEXTS),
        phases=phases,
        parameters=parameters,
        constants=constants,
    )


@st.composite
def runnable_documents(draw: st.DrawFn) -> ComponentDocument:
    """Draw a document that any Linux machine with bash runs within a moment, and without harm."""
    words = st.text("abcXYZ019", min_size=1, max_size=6)
    variables = draw(st.lists(NAMES, max_size=2, unique=True))
    parameters = [Parameter(name, default=draw(words)) for name in variables[:1]]
    constants = [Constant(name, draw(words)) for name in variables[1:]]
    phases = []
    for phase in draw(st.lists(st.sampled_from(["build", "validate", "test"]), min_size=1, unique=True)):
        refs = [*(one.ref for one in parameters), *(one.ref for one in constants)]
        steps = []
        for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
            texts = st.one_of([words, *(st.just(ref) for ref in refs)])
            operator = st.sampled_from(
                [Operator.STRING_EQUALS, Operator.NUMBER_LESS_THAN_EQUALS, Operator.STRING_GREATER_THAN]
            )
            comparisons = st.one_of(
                st.builds(conditions.compare, texts, operator, words),
                st.builds(conditions.binary_exists, st.sampled_from(["bash", "no-such-program"])),
                st.builds(conditions.is_empty, texts),
            )
            loop = draw(_optional(_loops(words)))
            said = draw(texts) + (f" {loop.value} {loop.index}" if loop else "")
            fails = draw(st.booleans())
            step = Step(
                name,
                actions.bash(f"echo {said}", *(["false"] if fails else [])),
                when=draw(_whens(comparisons)),
                loop=loop,
                timeout_seconds=60,
                on_failure=draw(st.none() | st.sampled_from(OnFailure)),
                max_attempts=draw(_optional(st.integers(1, 2))),
            )
            steps.append(step)
            refs.append(step.output(phase=phase))
        phases.append(Phase(phase, steps))
    return ComponentDocument(name="runnable", phases=phases, parameters=parameters, constants=constants)
