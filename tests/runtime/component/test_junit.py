from __future__ import annotations

from xml.etree import ElementTree as ET

from cdk_ami.runtime.component.junit import junit
from cdk_ami.runtime.component.outcome import Outcome, Status, StepOutcome

STEPS = (
    StepOutcome("build", "Fine", "ExecuteBash", Status.SUCCESS, seconds=1.5, attempts=1, lines=("said <so>",)),
    StepOutcome("build", "Ignored", "ExecuteBash", Status.IGNORED, attempts=1, message="exit code 2", lines=("no",)),
    StepOutcome("build", "Skipped", "ExecuteBash", Status.SKIPPED, message="its condition says so"),
    StepOutcome(
        "test", "Bad & ugly", "Assert", Status.FAILED, attempts=3, message='"x" is \x1b[31mred', lines=("a", "b")
    ),
    StepOutcome("test", "Later", "Assert", Status.NOT_RUN, message="an earlier step failed"),
)


def test_a_run_becomes_a_suite_with_a_case_for_each_step() -> None:
    root = ET.fromstring(junit([Outcome("web", "chroot:/x", STEPS, 2.25)]))  # noqa: S314 - our own

    (suite,) = root
    assert suite.attrib == {
        "name": "web",
        "hostname": "chroot:/x",
        "tests": "5",
        "failures": "1",
        "skipped": "2",
        "time": "2.250",
    }
    assert [(case.get("classname"), case.get("name")) for case in suite] == [
        ("web.build", "Fine"),
        ("web.build", "Ignored"),
        ("web.build", "Skipped"),
        ("web.test", "Bad & ugly"),
        ("web.test", "Later"),
    ]
    assert [[child.tag for child in case] for case in suite] == [
        ["system-out"],
        ["system-out"],
        ["skipped"],
        ["failure"],
        ["skipped"],
    ]


def test_what_no_xml_can_hold_is_replaced() -> None:
    failure = ET.fromstring(junit([Outcome("web", "host", STEPS, 0)])).find(".//failure")  # noqa: S314 - our own

    assert failure is not None
    assert failure.get("message") == '"x" is \N{REPLACEMENT CHARACTER}[31mred'
    assert failure.text == "a\nb"
