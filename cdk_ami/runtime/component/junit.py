"""A run as JUnit XML, which every CI system shows; pure.

A suite is a run, a case a step: ``failure`` holds why it failed and the end of what it printed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

from cdk_ami.runtime.component.outcome import Outcome, Status, StepOutcome

# https://www.w3.org/TR/xml/#charsets: the rest of the control characters can stand in no XML text at all.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(outcomes: Sequence[Outcome]) -> str:
    """Return runs as a JUnit document."""
    root = ET.Element("testsuites")
    for outcome in outcomes:
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_clean(outcome.document),
            hostname=_clean(outcome.place),
            tests=str(len(outcome.steps)),
            failures=str(outcome.count(Status.FAILED)),
            skipped=str(outcome.count(Status.SKIPPED) + outcome.count(Status.NOT_RUN)),
            time=f"{outcome.seconds:.3f}",
        )
        for step in outcome.steps:
            _case(suite, outcome.document, step)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, document: str, step: StepOutcome) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_clean(f"{document}.{step.phase}"),
        name=_clean(step.name),
        time=f"{step.seconds:.3f}",
    )
    printed = _clean("\n".join(step.lines))
    if step.status is Status.FAILED:
        ET.SubElement(case, "failure", message=_clean(step.message), type=step.action).text = printed
        return
    if step.status in (Status.SKIPPED, Status.NOT_RUN):
        ET.SubElement(case, "skipped", message=_clean(step.message or step.status))
    text = f"{step.status}: {step.message}\n{printed}" if step.status is Status.IGNORED else printed
    if text:
        ET.SubElement(case, "system-out").text = _clean(text)


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
