"""Texts that look like secrets written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_WORD: Final = (
    r"(?:password|passwd|passphrase|pwd|secret|secret[_-]?key|api[_-]?key|access[_-]?key|auth[_-]?token|token)"
)

SENSITIVE_NAME: Final = rf"(?i)[\w-]*{_WORD}"
"""Names of values that are secret."""

_HINT: Final = r"(?i)pass|pwd|secret|key|token|AKIA|ASIA|gh[pousr]_|xox|eyJ"
"""What each text that gives a secret away holds: most texts need no closer look."""

_SHAPES: Final = (
    (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", "an access key of AWS"),
    (r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}", "a private key"),
    (r"\bgh[pousr]_[A-Za-z0-9]{36}\b", "a token of GitHub"),
    (r"\bxox[abprs]-[A-Za-z0-9-]{10,}\b", "a token of Slack"),
    (r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}", "a signed token"),
)
_ASSIGNED: Final = rf"(?i)(?<![\w-])([\w-]*{_WORD})[\"']?\s*(?:=|:)\s*([\"']?)([^\s\"'`;|&]+)"
_OPTION: Final = rf"(?i)--([\w-]*{_WORD})[= ]([\"']?)([^\s\"'`;|&]+)"
_CHPASSWD: Final = r"echo\s+[\"']?[\w.-]+:([^\s\"'$|]+)[\"']?\s*\|\s*(?:sudo\s+)?chpasswd"
_HARMLESS: Final = frozenset(
    {
        "changeme",
        "disabled",
        "enabled",
        "false",
        "forced",
        "ignored",
        "none",
        "null",
        "optional",
        "prompt",
        "required",
        "true",
    }
)
_CMDLET: Final = r"[A-Z][A-Za-z]+-[A-Z]\w+"
_MIN: Final = 6


def looks_secret(text: str) -> str:
    """Return what a text seems to give away, or nothing: ``a value of DB_PASSWORD``."""
    if not re.search(_HINT, text):
        return ""
    for shape, what in _SHAPES:
        if re.search(shape, text):
            return what
    if re.search(_CHPASSWD, text):
        return "the password of a user"
    return next((f"a value of {name}" for name, value in _values(text) if looks_like_value(value)), "")


def looks_like_value(value: str) -> bool:
    """Tell whether a text is written out, and is no name, path, expression or switch."""
    if len(value) < _MIN or value.lower().rstrip(",.;)") in _HARMLESS:
        return False
    if value[0] in "$<{%([/.~@*-!" or any(mark in value for mark in ("{{", "${", "$(", "(", "::", "[")):
        return False
    if value.startswith(("arn:", "http:", "https:", "file:", "s3:")) or "/" in value or re.fullmatch(_CMDLET, value):
        return False
    return any(char.isdigit() for char in value) and any(char.isalpha() for char in value)


def _values(text: str) -> Iterator[tuple[str, str]]:
    for pattern in (_ASSIGNED, _OPTION):
        for found in re.finditer(pattern, text):
            yield found[1], found[3]
