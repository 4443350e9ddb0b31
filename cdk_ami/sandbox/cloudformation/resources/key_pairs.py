"""Key pairs, whose private half goes to the parameter store as AWS does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles


@handles("AWS::EC2::KeyPair", "KeyFormat KeyName KeyType PublicKeyMaterial Tags")
class KeyPair(Handler):
    """A key pair, made or imported.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-keypair.html
    """

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the pair, or import its public half."""
        client = context.client("ec2")
        name = new["KeyName"]
        tags = context.tags(new.get("Tags"))
        options: dict[str, Any] = {"TagSpecifications": [{"ResourceType": "key-pair", "Tags": tags}]} if tags else {}
        if "PublicKeyMaterial" in new:
            made = client.import_key_pair(KeyName=name, PublicKeyMaterial=new["PublicKeyMaterial"].encode(), **options)
        else:
            options |= {key: new[key] for key in ("KeyFormat", "KeyType") if key in new}
            made = client.create_key_pair(KeyName=name, **options)
            context.client("ssm").put_parameter(
                Name=self._parameter(made["KeyPairId"]), Type="SecureString", Value=made["KeyMaterial"]
            )
        attributes = {"KeyPairId": made["KeyPairId"], "KeyFingerprint": made["KeyFingerprint"]}
        return Made(physical_id=name, attributes=attributes)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Remove the pair and what is stored of it."""
        client = context.client("ec2")
        found = client.describe_key_pairs(KeyNames=[physical_id])["KeyPairs"][0]
        client.delete_key_pair(KeyName=physical_id)
        if "PublicKeyMaterial" not in properties:
            context.client("ssm").delete_parameter(Name=self._parameter(found["KeyPairId"]))

    def _parameter(self, key_pair: str) -> str:
        return f"/ec2/keypair/{key_pair}"
