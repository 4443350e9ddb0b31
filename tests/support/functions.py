"""Lambda functions for tests: a few lines of Python, deployed and invoked."""

from __future__ import annotations

import io
import json
import textwrap
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.stacks import trust


def archive(files: Mapping[str, str]) -> bytes:
    """Return a zip archive of text files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as into:
        for name, text in files.items():
            into.writestr(name, textwrap.dedent(text))
    return made.getvalue()


@dataclass(frozen=True)
class Functions:
    """Functions of one account and Region, with the role they run as."""

    client: Any
    iam: Any
    role: str = "functions"

    def make(self, code: str, *, name: str = "fn", **options: Any) -> str:
        """Create a function of a module ``index`` and return its ARN."""
        made = self.client.create_function(
            **{
                "FunctionName": name,
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": self.role_arn(),
                "Code": {"ZipFile": archive({"index.py": code})},
                **options,
            }
        )
        return str(made["FunctionArn"])

    def role_arn(self) -> str:
        """Return the ARN of the role, which is made when it is not there."""
        try:
            made = self.iam.create_role(
                RoleName=self.role, AssumeRolePolicyDocument=json.dumps(trust("lambda.amazonaws.com"))
            )
        except self.iam.exceptions.EntityAlreadyExistsException:
            made = self.iam.get_role(RoleName=self.role)
        return str(made["Role"]["Arn"])

    def call(self, event: Any = None, *, name: str = "fn", **options: Any) -> Any:
        """Return what a function answers."""
        return self.ask(event, name=name, **options)[0]

    def ask(self, event: Any = None, *, name: str = "fn", **options: Any) -> tuple[Any, str | None]:
        """Return what a function answers, and which kind of error that is."""
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event or {}), **options)
        return json.loads(answer["Payload"].read()), answer.get("FunctionError")
