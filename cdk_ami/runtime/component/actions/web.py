"""The action that fetches over HTTP."""

from __future__ import annotations

import hashlib
import ssl
import tempfile
import time
from collections.abc import Mapping
from http import HTTPStatus
from posixpath import basename, join
from typing import IO, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPSHandler, OpenerDirector, build_opener

from cdk_ami.runtime.component.call import ActionError, Call, Outputs, flag_of, text_of
from cdk_ami.runtime.component.files import Files

TRIES: Final = 5
"""How often a download is tried, whatever the step's own attempts.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html#action-modules-webdownload"""

FIRST_PAUSE_SECONDS: Final = 0.2
"""Pause before the second try; each further one is twice as long.  The runner's own choice."""

_ALGORITHMS: Final = ("MD5", "SHA1", "SHA256", "SHA512")
_PATIENCE_SECONDS: Final = 60.0
_BLOCK: Final = 1 << 20


def download(call: Call) -> Outputs:
    """Download files, and make the folders they go into."""
    files, left = Files(call), []
    for entry in call.entries():
        source, destination = text_of(entry, "source"), text_of(entry, "destination")
        if urlsplit(source).scheme not in ("http", "https"):
            raise ActionError(f"{source!r} is no URL of HTTP or HTTPS")
        name = join(destination, unquote(basename(urlsplit(source).path))) if destination.endswith("/") else destination
        left.append(name)
        checksum, algorithm = _checksum(entry)
        if files.kind(name):
            if not flag_of(entry, "overwrite", default=True):
                raise ActionError(f"{name} exists, and overwrite is false")
            if checksum and files.digest(name, algorithm) == checksum:
                call.note(f"{name} is there already, with the checksum given")
                continue
        with tempfile.TemporaryFile() as file:
            _fetch(call, _opener(entry), source, file)
            if checksum:
                _check(file, checksum, algorithm, source)
            file.seek(0)
            files.make_parent(name)
            files.write(name, file)
        call.note(f"downloaded {source} to {name}")
    return [{"destination": "\n".join(left)}]


def _checksum(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return checksum and algorithm, empty when nothing is to be checked: that takes both."""
    checksum, algorithm = text_of(entry, "checksum").lower(), text_of(entry, "algorithm").upper()
    if algorithm and algorithm not in _ALGORITHMS:
        raise ActionError(f"{algorithm!r} is no algorithm; use one of {', '.join(_ALGORITHMS)}")
    return (checksum, algorithm.lower()) if checksum and algorithm else ("", "")


def _check(file: IO[bytes], checksum: str, algorithm: str, source: str) -> None:
    file.seek(0)
    found = hashlib.file_digest(file, algorithm).hexdigest()  # type: ignore[arg-type]  # any binary file will do
    if found != checksum:
        raise ActionError(f"{source} has the {algorithm.upper()} checksum {found}, not {checksum}")


def _opener(entry: Mapping[str, Any]) -> OpenerDirector:
    if not flag_of(entry, "ignoreCertificateErrors", default=False):
        return build_opener()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return build_opener(HTTPSHandler(context=context))


def _fetch(call: Call, opener: OpenerDirector, source: str, file: IO[bytes]) -> None:
    pause = FIRST_PAUSE_SECONDS
    for attempt in range(1, TRIES + 1):
        try:
            file.seek(0)
            file.truncate()
            _fetch_once(call, opener, source, file)
        except (URLError, OSError) as error:
            reason = str(getattr(error, "reason", error))
            if isinstance(error, HTTPError):
                reason = f"status {error.code}"
                error.close()
            if attempt == TRIES:
                raise ActionError(f"{source}: {reason}, {TRIES} times") from error
            call.note(f"{source}: {reason}; try {attempt + 1} of {TRIES}")
            call.limits.check()
            time.sleep(pause)
            pause *= 2
        else:
            return


def _fetch_once(call: Call, opener: OpenerDirector, source: str, file: IO[bytes]) -> None:
    left = call.limits.left
    with opener.open(source, timeout=_PATIENCE_SECONDS if left is None else min(left, _PATIENCE_SECONDS)) as answer:
        if answer.status != HTTPStatus.OK:
            raise HTTPError(source, answer.status, "is not 200", answer.headers, None)
        while block := answer.read(_BLOCK):
            call.limits.check()
            file.write(block)
