"""Container repositories."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles
from cdk_ami.sandbox.cloudformation.resources.mapping import shaped


@handles(
    "AWS::ECR::Repository",
    "EmptyOnDelete EncryptionConfiguration ImageScanningConfiguration ImageTagMutability LifecyclePolicy "
    "RepositoryName RepositoryPolicyText Tags",
)
class Repository(Handler):
    """A repository."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the repository."""
        client = context.client("ecr")
        name = new.get("RepositoryName") or context.name(longest=256, lower=True)
        options: dict[str, Any] = {}
        if "ImageTagMutability" in new:
            options["imageTagMutability"] = new["ImageTagMutability"]
        if "ImageScanningConfiguration" in new:
            scanning = shaped("ecr", "ImageScanningConfiguration", new["ImageScanningConfiguration"])
            options["imageScanningConfiguration"] = scanning
        if "EncryptionConfiguration" in new:
            encryption = shaped("ecr", "EncryptionConfiguration", new["EncryptionConfiguration"])
            options["encryptionConfiguration"] = encryption
        made = client.create_repository(repositoryName=name, tags=context.tags(new.get("Tags")), **options)[
            "repository"
        ]
        context.began(name)
        self._policies(client, name, {}, new)
        return self._made(made)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs."""
        client = context.client("ecr")
        differ = changed(old, new)
        if "ImageTagMutability" in differ:
            client.put_image_tag_mutability(
                repositoryName=physical_id, imageTagMutability=new.get("ImageTagMutability", "MUTABLE")
            )
        if "ImageScanningConfiguration" in differ:
            scanning = shaped("ecr", "ImageScanningConfiguration", new.get("ImageScanningConfiguration", {}))
            client.put_image_scanning_configuration(repositoryName=physical_id, imageScanningConfiguration=scanning)
        self._policies(client, physical_id, old, new)
        made = client.describe_repositories(repositoryNames=[physical_id])["repositories"][0]
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            tags = [{"Key": key, "Value": value} for key, value in put.items()]
            client.tag_resource(resourceArn=made["repositoryArn"], tags=tags)
        if remove:
            client.untag_resource(resourceArn=made["repositoryArn"], tagKeys=remove)
        return self._made(made)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Remove the repository, which must be empty unless told otherwise."""
        client = context.client("ecr")
        client.delete_repository(repositoryName=physical_id, force=bool(properties.get("EmptyOnDelete", False)))

    def _policies(self, client: Any, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        differ = changed(old, new)
        if "RepositoryPolicyText" in differ:
            if "RepositoryPolicyText" in new:
                text = new["RepositoryPolicyText"]
                policy = text if isinstance(text, str) else json.dumps(text)
                client.set_repository_policy(repositoryName=name, policyText=policy)
            else:
                client.delete_repository_policy(repositoryName=name)
        if "LifecyclePolicy" in differ:
            if text := new.get("LifecyclePolicy", {}).get("LifecyclePolicyText"):
                client.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text)
            else:
                client.delete_lifecycle_policy(repositoryName=name)

    def _made(self, made: Mapping[str, Any]) -> Made:
        return Made(
            physical_id=made["repositoryName"],
            attributes={"Arn": made["repositoryArn"], "RepositoryUri": made["repositoryUri"]},
        )
