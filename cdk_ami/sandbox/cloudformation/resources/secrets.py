"""Secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles

GENERATED: Final = (
    "ExcludeCharacters",
    "ExcludeLowercase",
    "ExcludeNumbers",
    "ExcludePunctuation",
    "ExcludeUppercase",
    "IncludeSpace",
    "PasswordLength",
    "RequireEachIncludedType",
)
"""Properties of a generated secret that are parameters of GetRandomPassword."""


@handles("AWS::SecretsManager::Secret", "Description GenerateSecretString KmsKeyId Name SecretString Tags")
class Secret(Handler):
    """A secret, given or generated."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the secret."""
        client = context.client("secretsmanager")
        options = {key: new[key] for key in ("Description", "KmsKeyId") if key in new}
        arn = client.create_secret(
            Name=new.get("Name") or context.name(longest=512),
            SecretString=self._value(client, new),
            Tags=context.tags(new.get("Tags")),
            **options,
        )["ARN"]
        return Made(physical_id=arn, attributes={"Id": arn})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs; a generated value changes with its rules only."""
        client = context.client("secretsmanager")
        differ = changed(old, new)
        options: dict[str, Any] = {key: new.get(key, "") for key in ("Description", "KmsKeyId") if key in differ}
        if differ & {"SecretString", "GenerateSecretString"}:
            options["SecretString"] = self._value(client, new)
        if options:
            client.update_secret(SecretId=physical_id, **options)
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            tags = [{"Key": key, "Value": value} for key, value in put.items()]
            client.tag_resource(SecretId=physical_id, Tags=tags)
        if remove:
            client.untag_resource(SecretId=physical_id, TagKeys=remove)
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the secret at once, as CloudFormation does."""
        context.client("secretsmanager").delete_secret(SecretId=physical_id, ForceDeleteWithoutRecovery=True)

    def _value(self, client: Any, new: Mapping[str, Any]) -> str:
        if "SecretString" in new:
            return str(new["SecretString"])
        rules = new.get("GenerateSecretString", {})
        password = client.get_random_password(**{key: rules[key] for key in GENERATED if key in rules})[
            "RandomPassword"
        ]
        if "GenerateStringKey" not in rules:
            return str(password)
        return json.dumps({**json.loads(rules.get("SecretStringTemplate", "{}")), rules["GenerateStringKey"]: password})
