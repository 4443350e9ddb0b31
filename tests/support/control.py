"""Requests to the sandbox itself."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from cdk_ami.sandbox.server import Sandbox


def ask(sandbox: Sandbox, name: str, *, method: str = "POST", **asked: Any) -> dict[str, Any]:
    """Return the answer; those of GET and DELETE ask by the query string."""
    url = f"{sandbox.endpoint}/_sandbox/{name}"
    request = (
        Request(url, data=json.dumps(asked).encode())  # noqa: S310 - loopback
        if method == "POST"
        else Request(f"{url}?{urlencode(asked)}", method=method)  # noqa: S310 - same
    )
    with urlopen(request) as answer:  # noqa: S310 - same
        found: dict[str, Any] = json.load(answer)
        return found


def refusal(sandbox: Sandbox, name: str, **asked: Any) -> str:
    """Return why a request is refused; fail when it is not."""
    try:
        ask(sandbox, name, **asked)
    except HTTPError as error:
        assert error.code == 400  # noqa: PT017 - the only way to the body
        return str(json.load(error)["error"])
    raise AssertionError(f"{name} was not refused: {asked}")
