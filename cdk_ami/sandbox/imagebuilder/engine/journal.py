"""The log of a build in CloudWatch Logs, and in S3 where the infrastructure names a bucket.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/monitor-cwlogs.html, read 2026-11-22
"""

from __future__ import annotations

import time
from typing import Any

from cdk_ami.sandbox.imagebuilder.engine.session import Session, StepError


class Journal:
    """Gathers lines and writes them when told, so that a build makes few calls.

    Args:
        session: The build's session.
        group: Log group, made when missing.
        stream: Log stream, such as ``1.0.0/1``.
    """

    def __init__(self, session: Session, *, group: str, stream: str) -> None:
        self._session, self._group, self._stream = session, group, stream
        self._waiting: list[dict[str, Any]] = []
        self._written: list[str] = []
        self._open = False

    def line(self, text: str) -> None:
        """Add a line."""
        self._waiting.append({"timestamp": int(time.time() * 1000), "message": text})
        self._written.append(text)

    def flush(self) -> None:
        """Write what waits; a log that cannot be written fails no build."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        try:
            if not self._open:
                self._make()
            self._session.last_call(
                "logs", "put_log_events", logGroupName=self._group, logStreamName=self._stream, logEvents=waiting
            )
        except StepError:
            self._waiting = []

    def _make(self) -> None:
        self._make_one("create_log_group", {"logGroupName": self._group})
        self._make_one("create_log_stream", {"logGroupName": self._group, "logStreamName": self._stream})
        self._open = True

    def _make_one(self, operation: str, request: dict[str, Any]) -> None:
        try:
            self._session.last_call("logs", operation, **request)
        except StepError as error:
            if "ResourceAlreadyExistsException" not in str(error):
                raise

    def store(self, *, bucket: str, key: str) -> None:
        """Write the whole log into a bucket."""
        self._session.call("s3", "put_object", Bucket=bucket, Key=key, Body="\n".join(self._written).encode())
