"""Any document of the typed builder runs the same before and after it went through YAML."""

from __future__ import annotations

import re

from hypothesis import Phase, given, settings

from cdk_ami.recipe.builder import ComponentDocument
from cdk_ami.recipe.document import Document, parse_document, write_document
from cdk_ami.runtime.component.host import Host
from cdk_ami.runtime.component.runner import run_document
from tests.runtime.component.conftest import Heard, NoAws
from tests.support.documents import runnable_documents


# A run starts processes, so few examples have to do; each draws several phases, steps, loops and conditions.
# Shrinking would take minutes, and a drawn document is small.
@settings(
    max_examples=12,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(made=runnable_documents())
def test_a_document_runs_the_same_after_a_round_trip_through_yaml(made: ComponentDocument) -> None:
    before = parse_document(made.text(), where="made")
    after = parse_document(write_document(before.data), where="written anew")

    assert how_it_ran(after) == how_it_ran(before)


def how_it_ran(document: Document) -> tuple[object, ...]:
    """Run a document on this machine, which it does no harm to, and return all but times and names of the moment."""
    heard = Heard()
    outcome = run_document(document, Host(), aws=NoAws(), listener=heard)
    steps = [
        step._replace(seconds=0.0, message=plain(step.message), lines=tuple(map(plain, step.lines)))
        for step in outcome.steps
    ]
    return outcome.status, steps, heard.steps, [(stream, plain(line)) for stream, line in heard.lines]


def plain(text: str) -> str:
    """Return a text without the directory of a script, which mktemp has named."""
    return re.sub(r"/tmp/tmp\.\w+/", "", text)  # noqa: S108 - a pattern
