"""Documents that are too long for a template: what only the deployment knows becomes a parameter of theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cdk_ami.limits import INLINE_DOCUMENT_MAX_CHARS
from cdk_ami.recipe.document import write_document
from cdk_ami.recipe.yaml_text import parse_yaml

CDK_TOKEN: Final = r"\$\{Token\[[^\]]*\]\}"  # noqa: S105 - no secret
"""A text that only the deployment knows, as the CDK writes it into another text."""

_TOKEN_CHARS: Final = 256
"""What a token is taken to become: longer than ARNs and S3 URIs of usual names."""

_PREFIX: Final = "CdkAmiValue"
_WHERE: Final = ("inputs", "if", "loop")


class Settled(NamedTuple):
    """A document without tokens.

    Attributes:
        text: The document.
        parameters: What a recipe must set in it, by name.
        left: Whether a token remains, because it stands where no expression can.
    """

    text: str
    parameters: Mapping[str, tuple[str, ...]]
    left: bool


def is_long(text: str) -> bool:
    """Tell whether a document with tokens in it may be too long for a template."""
    return (
        len(re.sub(CDK_TOKEN, "", text)) + _TOKEN_CHARS * len(re.findall(CDK_TOKEN, text)) > INLINE_DOCUMENT_MAX_CHARS
    )


def settle(text: str) -> Settled:
    """Return the document ``text`` with parameters in the places of its tokens."""
    if not re.search(CDK_TOKEN, text):
        return Settled(text, {}, left=False)
    data: Any = parse_yaml(text)
    names: dict[str, str] = {}
    for phase in data["phases"]:
        for step in phase["steps"]:
            step |= {key: _named(step[key], names) for key in _WHERE if key in step}
    declared = [{name: {"type": "string"}} for name in names.values()]
    order = {key: data[key] for key in ("name", "description", "schemaVersion") if key in data}
    whole = {**order, "parameters": [*(data.get("parameters") or ()), *declared]} | {
        key: value for key, value in data.items() if key not in {*order, "parameters"}
    }
    settled = write_document(whole)
    parameters = {name: (token,) for token, name in names.items()}
    return Settled(settled, parameters, left=re.search(CDK_TOKEN, settled) is not None)


def _named(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(
            CDK_TOKEN, lambda found: "{{ " + names.setdefault(found[0], f"{_PREFIX}{len(names) + 1}") + " }}", value
        )
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _named(item, names) for key, item in value.items()}
    return value
