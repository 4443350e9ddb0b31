"""Buckets and their policies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles
from cdk_ami.sandbox.cloudformation.resources.mapping import shaped

HOME_REGION: Final = "us-east-1"
"""The Region whose buckets are made without a location constraint."""

CANNED: Final = {
    "AuthenticatedRead": "authenticated-read",
    "BucketOwnerFullControl": "bucket-owner-full-control",
    "BucketOwnerRead": "bucket-owner-read",
    "LogDeliveryWrite": "log-delivery-write",
    "Private": "private",
    "PublicRead": "public-read",
    "PublicReadWrite": "public-read-write",
}
"""Canned lists as the API names them.  https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html"""

LIFECYCLE_RULE: Final = frozenset(
    {
        "AbortIncompleteMultipartUpload",
        "ExpirationInDays",
        "ExpiredObjectDeleteMarker",
        "Id",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionExpirationInDays",
        "Prefix",
        "Status",
        "Transitions",
    }
)
"""Parts of a lifecycle rule that the handler knows."""


def _encryption(client: Any, bucket: str, value: Mapping[str, Any] | None) -> None:
    if value is None:
        client.delete_bucket_encryption(Bucket=bucket)
        return
    rules = [
        {
            **({"BucketKeyEnabled": rule["BucketKeyEnabled"]} if "BucketKeyEnabled" in rule else {}),
            "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
        }
        for rule in value["ServerSideEncryptionConfiguration"]
    ]
    client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def _versioning(client: Any, bucket: str, value: Mapping[str, Any] | None) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=value or {"Status": "Suspended"})


def _public_access(client: Any, bucket: str, value: Mapping[str, Any] | None) -> None:
    if value is None:
        client.delete_public_access_block(Bucket=bucket)
    else:
        client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=value)


def _ownership(client: Any, bucket: str, value: Mapping[str, Any] | None) -> None:
    if value is None:
        client.delete_bucket_ownership_controls(Bucket=bucket)
    else:
        client.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=value)


def _lifecycle(client: Any, bucket: str, value: Mapping[str, Any] | None) -> None:
    if value is None:
        client.delete_bucket_lifecycle(Bucket=bucket)
        return
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [_rule(rule, at) for at, rule in enumerate(value["Rules"])]}
    )


def _rule(rule: Mapping[str, Any], at: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "ID": rule.get("Id", f"rule-{at}"),
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    expiration = {}
    if "ExpirationInDays" in rule:
        expiration["Days"] = int(rule["ExpirationInDays"])
    if "ExpiredObjectDeleteMarker" in rule:
        expiration["ExpiredObjectDeleteMarker"] = rule["ExpiredObjectDeleteMarker"]
    if expiration:
        made["Expiration"] = expiration
    if "AbortIncompleteMultipartUpload" in rule:
        made["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    if "NoncurrentVersionExpiration" in rule:
        made["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    if "NoncurrentVersionExpirationInDays" in rule:
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": int(rule["NoncurrentVersionExpirationInDays"])}
    if "Transitions" in rule:
        made["Transitions"] = [
            {"Days": int(one["TransitionInDays"]), "StorageClass": one["StorageClass"]} for one in rule["Transitions"]
        ]
    return made


def _logging(client: Any, bucket: str, value: Mapping[str, Any] | None) -> None:
    status = {}
    if value is not None:
        target = value.get("DestinationBucketName", bucket)
        status = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": value.get("LogFilePrefix", "")}}
    client.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=status)


def _cors(client: Any, bucket: str, value: Mapping[str, Any] | None) -> None:
    if value is None:
        client.delete_bucket_cors(Bucket=bucket)
    else:
        rules = shaped(
            "s3",
            "CORSRules",
            value["CorsRules"],
            renames={"MaxAge": "MaxAgeSeconds", "ExposedHeaders": "ExposeHeaders"},
        )
        client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})


def _access_control(client: Any, bucket: str, value: str | None) -> None:
    client.put_bucket_acl(Bucket=bucket, ACL=CANNED[value or "Private"])


def _notifications(client: Any, bucket: str, value: Mapping[str, Any] | None) -> None:
    # The one notification that names no other resource.
    enabled = (value or {}).get("EventBridgeConfiguration", {}).get("EventBridgeEnabled", False)
    made: dict[str, Any] = {"EventBridgeConfiguration": {}} if enabled else {}
    client.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=made)


_SETTERS: Final[dict[str, Callable[[Any, str, Any], None]]] = {
    "OwnershipControls": _ownership,
    "AccessControl": _access_control,
    "BucketEncryption": _encryption,
    "VersioningConfiguration": _versioning,
    "PublicAccessBlockConfiguration": _public_access,
    "LifecycleConfiguration": _lifecycle,
    "LoggingConfiguration": _logging,
    "CorsConfiguration": _cors,
    "NotificationConfiguration": _notifications,
}


@handles("AWS::S3::Bucket", f"BucketName Tags {' '.join(_SETTERS)}")
class Bucket(Handler):
    """A bucket; deletion fails while it holds anything, as in AWS."""

    def problems(self, properties: Mapping[str, Any]) -> Iterable[str]:
        """Return the parts of rules and notifications that are not known."""
        for at, rule in enumerate(properties.get("LifecycleConfiguration", {}).get("Rules", ())):
            for name in sorted(set(rule) - LIFECYCLE_RULE):
                yield f"LifecycleConfiguration/Rules/{at}/{name}: the sandbox does not support this property"
        for name in sorted(set(properties.get("NotificationConfiguration", {})) - {"EventBridgeConfiguration"}):
            yield f"NotificationConfiguration/{name}: the sandbox does not support this property"

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the bucket."""
        client = context.client("s3")
        name = new.get("BucketName") or context.name(longest=63, lower=True)
        location = {}
        if context.region != HOME_REGION:
            location = {"CreateBucketConfiguration": {"LocationConstraint": context.region}}
        elif _exists(client, name):
            # In its first Region S3 answers a second creation by its owner with success; CloudFormation does not.
            raise client.exceptions.BucketAlreadyOwnedByYou(
                {"Error": {"Code": "BucketAlreadyOwnedByYou", "Message": f"{name} already exists"}}, "CreateBucket"
            )
        ownership = {"ObjectOwnership": "ObjectWriter"} if new.get("AccessControl") else {}
        client.create_bucket(Bucket=name, **location, **ownership)
        context.began(name)
        for prop, setter in _SETTERS.items():
            if prop in new:
                setter(client, name, new[prop])
        tags = context.tags(new.get("Tags"))
        if tags:
            client.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
        return self._made(context, name)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs."""
        client = context.client("s3")
        for prop, setter in _SETTERS.items():
            if prop in changed(old, new):
                setter(client, physical_id, new.get(prop))
        tags = context.tags(new.get("Tags"))
        if tags:
            client.put_bucket_tagging(Bucket=physical_id, Tagging={"TagSet": tags})
        else:
            client.delete_bucket_tagging(Bucket=physical_id)
        return self._made(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the empty bucket."""
        context.client("s3").delete_bucket(Bucket=physical_id)

    def _made(self, context: Context, name: str) -> Made:
        attributes = {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "DualStackDomainName": f"{name}.s3.dualstack.{context.region}.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{context.region}.amazonaws.com",
            "WebsiteURL": f"http://{name}.s3-website-{context.region}.amazonaws.com",
        }
        return Made(physical_id=name, attributes=attributes)


def _exists(client: Any, name: str) -> bool:
    return any(bucket["Name"] == name for bucket in client.list_buckets()["Buckets"])


@handles("AWS::S3::BucketPolicy", "Bucket PolicyDocument")
class BucketPolicy(Handler):
    """A bucket's one policy."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Put the policy."""
        context.client("s3").put_bucket_policy(Bucket=new["Bucket"], Policy=json.dumps(new["PolicyDocument"]))
        return Made(physical_id=new["Bucket"])

    def update(
        self,
        context: Context,
        physical_id: str,  # noqa: ARG002 - the bucket is its own id
        old: Mapping[str, Any],  # noqa: ARG002 - put whole
        new: Mapping[str, Any],
    ) -> Made:
        """Put the policy again."""
        return self.create(context, new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the policy."""
        context.client("s3").delete_bucket_policy(Bucket=physical_id)
