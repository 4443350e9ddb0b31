"""Any document of the typed builder runs the same before and after it went through YAML."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from cdk_ami.recipe.builder import ComponentDocument
from cdk_ami.recipe.document import Document, parse_document, write_document
from cdk_ami.runtime.component.host import Host
from cdk_ami.runtime.component.runner import run_document
from tests.runtime.component.conftest import Heard, NoAws
from tests.support.documents import runnable_documents


# A run starts processes, so few examples have to do; each draws several phases, steps, loops and conditions.
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=runnable_documents())
def test_a_document_runs_the_same_after_a_round_trip_through_yaml(made: ComponentDocument) -> None:
    before = parse_document(made.text(), where="made")
    after = parse_document(write_document(before.data), where="written anew")

    assert how_it_ran(after) == how_it_ran(before)


def how_it_ran(document: Document) -> tuple[object, ...]:
    """Run a document on this machine, which it does no harm to, and return all that a clock has no part in."""
    heard = Heard()
    outcome = run_document(document, Host(), aws=NoAws(), listener=heard)
    return (
        outcome.status,
        [step._replace(seconds=0.0) for step in outcome.steps],
        heard.steps,
        heard.lines,
    )
