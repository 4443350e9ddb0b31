"""Answers in pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cdk_ami.sandbox.autoscaling.errors import refuse


def page(answer: Any, name: str, found: Sequence[Any], *, usual: int) -> dict[str, Any]:
    """Return the page of ``found`` that a request asks for, under ``name``, and the token of the next.

    Args:
        answer: The emulator's object of the request, with ``MaxRecords`` and ``NextToken``.
        name: The member of the answer that holds them.
        found: All there are.
        usual: How many to a page when the request does not say.
    """
    limit = int(answer._get_param("MaxRecords") or usual)  # noqa: SLF001 - moto's
    token = answer._get_param("NextToken") or "0"  # noqa: SLF001 - moto's
    if not token.isdigit():
        raise refuse(f"Invalid value for NextToken: {token}", "InvalidNextToken")
    start = int(token)
    rest = str(start + limit) if start + limit < len(found) else None
    return {name: list(found[start : start + limit]), "NextToken": rest}
