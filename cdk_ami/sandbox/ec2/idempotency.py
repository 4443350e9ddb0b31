"""Client tokens: the same token and the same request give the same answer, another request is refused.

This holds for every operation whose request has a ``ClientToken``, whoever answers it.
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from moto.ec2.responses import EC2Response

from cdk_ami.sandbox import answers, emulator


def install() -> None:
    """Make the operations that take a token, ours and the emulator's, keep to it."""

    def call_action(self: Any) -> Any:
        token = self._get_param("ClientToken")
        if not token or self._get_param("DryRun"):
            return original(self)
        known = _known(self.ec2_backend)
        name, asked = self._get_action(), json.dumps(self.params, sort_keys=True, default=str)
        if (name, token) not in known:
            status, headers, body = original(self)
            if status >= HTTPStatus.MULTIPLE_CHOICES:
                return status, headers, body
            known[name, token] = (asked, headers, body)
        before, headers, body = known[name, token]
        if before != asked:
            refused, text = answers.plain(
                "IdempotentParameterMismatch",
                f"The client token {token} was used before with other parameters",
                protocol="ec2",
            )
            return HTTPStatus.BAD_REQUEST.value, {**self.response_headers, **refused}, text
        return HTTPStatus.OK.value, dict(headers), body

    original = emulator.replace(EC2Response, "call_action", call_action, takes=())


def _known(backend: Any) -> dict[tuple[str, str], tuple[str, dict[str, str], str]]:
    # The backend's own dictionary, so that a reset forgets the tokens too.
    known: dict[tuple[str, str], tuple[str, dict[str, str], str]] = backend.__dict__.setdefault("sandbox_answers", {})
    return known
