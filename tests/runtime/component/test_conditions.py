from __future__ import annotations

from typing import Any

import pytest

from cdk_ami.runtime.component.conditions import ConditionError, Verdict, evaluate, verdict


class Facts:
    """A place with one file, one folder and one command."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def kind(self, path: str) -> str:
        self.asked.append(path)
        return {"/etc/file": "file", "/etc": "folder"}.get(path, "")

    def digest(self, path: str, algorithm: str) -> str | None:
        return f"{algorithm}-of-it" if path == "/etc/file" else None

    def has_binary(self, name: str) -> bool:
        return name == "yum"


TRUE: list[dict[str, Any]] = [
    {"stringIsEmpty": ""},
    {"stringIsWhitespace": "   "},
    {"stringEquals": "Testing, testing...", "value": "Testing, testing..."},
    {"stringEquals": "2.1.1", "value": "2.1.1"},
    {"stringEquals": 5, "value": "5"},
    {"stringLessThan": "b", "value": "a"},
    {"stringLessThan": "a", "value": "0"},
    {"stringLessThanEquals": "A", "value": "a"},
    {"stringLessThanEquals": "b", "value": "a"},
    {"stringGreaterThan": "a", "value": "b"},
    {"stringGreaterThan": "0", "value": "a"},
    {"stringGreaterThanEquals": "A", "value": "a"},
    {"patternMatches": "^[a-z]+$", "value": "ThisIsValue"},
    {"patternMatches": r"^[a-zA-Z\s]+$", "value": "This text contains spaces"},
    {"patternMatches": "^[[:alpha:]]+$", "value": "letters"},
    {"patternMatches": "^[0-9]+$", "value": 1234567890},
    {"numberEquals": 1, "value": "1"},
    {"numberEquals": "1", "value": 1},
    {"numberEquals": 5.0, "value": 5},
    {"numberEquals": -1, "value": "-1"},
    {"numberLessThan": 2, "value": 1.9},
    {"numberLessThanEquals": 2, "value": "2"},
    {"numberGreaterThan": 1, "value": 1.1},
    {"numberGreaterThanEquals": 1, "value": "1"},
    {"binaryExists": "yum"},
    {"fileExists": "/etc/file"},
    {"folderExists": "/etc"},
    {"fileMD5Equals": "MD5-of-it", "path": "/etc/file"},
    {"fileSHA1Equals": "sha1-of-it", "path": "/etc/file"},
    {"fileSHA256Equals": "sha256-of-it", "path": "/etc/file"},
    {"fileSHA512Equals": "sha512-of-it", "path": "/etc/file"},
    {"and": [{"binaryExists": "yum"}, {"not": {"binaryExists": "unzip"}}]},
    {"or": [{"binaryExists": "dnf"}, {"binaryExists": "yum"}]},
    {"not": [{"stringEquals": "test_string", "value": "Hello world!"}]},
]
FALSE: list[dict[str, Any]] = [
    {"stringIsEmpty": " "},
    {"stringIsWhitespace": ""},
    {"stringIsWhitespace": " Hello?"},
    {"stringEquals": "Testing, testing...", "value": "   Testing, testing..."},
    {"stringLessThan": "0", "value": "a"},
    {"stringLessThanEquals": "0", "value": "a"},
    {"stringGreaterThan": "a", "value": "A"},
    {"stringGreaterThanEquals": "a", "value": "0"},
    {"patternMatches": "^[a-z]+$", "value": "with digit 1"},
    {"numberLessThan": 2, "value": "2"},
    {"numberLessThanEquals": 2, "value": 2.1},
    {"numberGreaterThan": 1, "value": "1"},
    {"numberGreaterThanEquals": 1, "value": 0.8},
    {"numberEquals": 10, "value": "a10"},
    {"binaryExists": "unzip"},
    {"fileExists": "/etc"},
    {"folderExists": "/etc/file"},
    {"fileSHA256Equals": "sha256-of-it", "path": "/nowhere"},
    {"and": [{"binaryExists": "yum"}, {"fileExists": "/nowhere"}]},
    {"or": [{"binaryExists": "dnf"}, {"fileExists": "/nowhere"}]},
    {"not": {"fileExists": "/etc/file"}},
]


@pytest.mark.parametrize("condition", TRUE, ids=repr)
def test_a_condition_holds(condition: dict[str, Any]) -> None:
    assert evaluate(condition, Facts())


@pytest.mark.parametrize("condition", FALSE, ids=repr)
def test_a_condition_does_not_hold(condition: dict[str, Any]) -> None:
    assert not evaluate(condition, Facts())


@pytest.mark.parametrize(("operator", "first"), [("and", "/nowhere"), ("or", "/etc/file")])
def test_what_is_decided_already_is_not_looked_up(operator: str, first: str) -> None:
    facts = Facts()

    evaluate({operator: [{"fileExists": first}, {"fileExists": "/second"}]}, facts)

    assert facts.asked == [first]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"fileExists": "/etc/file"}, Verdict.EXECUTE),
        ({"fileExists": "/nowhere"}, Verdict.SKIP),
        ({"fileExists": "/etc/file", "then": "Skip", "else": "Execute"}, Verdict.SKIP),
        ({"fileExists": "/nowhere", "then": "Skip", "else": "Execute"}, Verdict.EXECUTE),
        ({"fileExists": "/nowhere", "else": "Abort"}, Verdict.ABORT),
        ([{"not": {"fileExists": "/etc/file"}, "then": "Abort"}], Verdict.SKIP),
    ],
)
def test_a_condition_decides_about_its_step(condition: Any, expected: Verdict) -> None:
    assert verdict(condition, Facts()) is expected


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ({}, "has one operator"),
        ({"fileExists": "a", "folderExists": "b"}, "has one operator, got \\['fileExists', 'folderExists'\\]"),
        ({"fileExist": "a"}, "'fileExist' is no operator"),
        ({"and": {}}, "take a list"),
        ({"patternMatches": "(?=a)", "value": "a"}, "no regular expression of RE2"),
        ({"fileExists": "/etc/file", "then": "Run"}, "then is 'Run'; use Abort, Execute or Skip"),
        ("yes", "one operator with its values, got 'yes'"),
    ],
)
def test_a_condition_that_cannot_be_read_is_an_error(condition: Any, problem: str) -> None:
    with pytest.raises(ConditionError, match=problem):
        verdict(condition, Facts())
