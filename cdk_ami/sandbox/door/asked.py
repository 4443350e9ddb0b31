"""What one request asks, and of whom."""

from __future__ import annotations

import re
from functools import cached_property
from io import BytesIO
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from moto.iam.models import get_account_id_from

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.door import wire

_SCOPE: Final = re.compile(r"Credential=([^/,]+)/\d+/([^/,]+)/([^/,]+)/aws4_request")
_ACTION: Final = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]+)")
_BODILESS: Final = frozenset({"s3"})
"""Services whose bodies may be as large as a file, so that they are left in the stream."""

_SMALL_XML: Final = 65_536


class Asked:
    """One request, read from its WSGI environment when somebody wants to know.

    Attributes:
        service: boto3's name of the service.
        region: The Region.
        access_key: The key id that signed it, empty when nobody did.
        engine: Whether one of the sandbox's own engines asks.
        named_role: The role that it is made with by the caller's word, None where the keys tell.
        for_service: The service that acts with that role by the caller's word, by itself where no role is named.
        source: The resource that the service acts for by the caller's word.
        body: The body, empty where it was left in the stream.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = str(environ.get("RAW_URI") or environ["PATH_INFO"]).partition("?")[0]
        self.query: str = environ.get("QUERY_STRING", "")
        signed = environ.get("HTTP_AUTHORIZATION", "")
        scope = _SCOPE.search(signed) or _SCOPE.search(_presigned(self.query))
        self.access_key, self.region, signer = scope.groups() if scope else ("", "us-east-1", "s3")
        self.service = wire.service_name(signer)
        self.engine: bool = _key(clients.ENGINE_HEADER) in environ
        self.named_role: str | None = environ.get(_key(clients.ROLE_HEADER))
        self.for_service: str | None = environ.get(_key(clients.SERVICE_HEADER))
        self.source: str | None = environ.get(_key(clients.SOURCE_HEADER))
        self._target: str = environ.get("HTTP_X_AMZ_TARGET", "")
        self._account: str | None = environ.get("HTTP_X_MOTO_ACCOUNT_ID")
        self._encoding: str = environ.get("HTTP_CONTENT_ENCODING", "")
        self._copies = "HTTP_X_AMZ_COPY_SOURCE" in environ
        self.body = self._read(environ)

    def _read(self, environ: dict[str, Any]) -> bytes:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        small = self.service not in _BODILESS or (
            self.query and length <= _SMALL_XML and "partNumber" not in self.query
        )
        if not length or not small:
            return b""
        body: bytes = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = BytesIO(body)
        return body

    @cached_property
    def account(self) -> str:
        """The account that is asked."""
        return self._account or str(get_account_id_from(self.access_key))

    @cached_property
    def operation(self) -> str:
        """The operation, as the service's model names it."""
        if self._target:
            return self._target.rpartition(".")[2]
        if found := _ACTION.search(self.body) or _ACTION.search(self.query.encode()):
            return found[1].decode()
        return self._route[0]

    @cached_property
    def _route(self) -> tuple[str, dict[str, str]]:
        name, labels = wire.operation_by_path(self.service, self.method, self.path, self.query)
        if self._copies:
            name = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}.get(name, name)
        return name, labels

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """What is asked, by the names of the service's model."""
        labels = self._route[1] if wire.protocol_of(self.service).startswith("rest") else {}
        return wire.parameters(
            self.service, self.operation, body=self.body, query=self.query, labels=labels, encoding=self._encoding
        )

    def let_go(self) -> None:
        """Give the body's memory back; the operation is still known, what is asked in it is not."""
        _ = self.operation
        self.body = b""
        self.__dict__["parameters"] = {}


def _key(header: str) -> str:
    return f"HTTP_{header.upper().replace('-', '_')}"


def _presigned(query: str) -> str:
    if "X-Amz-Credential" not in query:
        return ""
    return f"Credential={unquote(parse_qs(query)['X-Amz-Credential'][0])}"
