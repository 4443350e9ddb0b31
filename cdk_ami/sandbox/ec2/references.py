"""What in an account names an AMI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from moto.ssm.models import ssm_backends


def references(backend: Any, image_ids: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the references to ``image_ids`` from the account and Region of ``backend``, an EC2 backend."""
    wanted = set(image_ids)
    prefix = f"arn:{backend.partition}:{{}}:{backend.region_name}:{backend.account_id}:"
    for instance in backend.all_instances():
        if instance.image_id in wanted and instance.state != "terminated":
            yield _reference(instance.image_id, "ec2:Instance", f"{prefix.format('ec2')}instance/{instance.id}")
    for template in list(backend.launch_templates.values()):
        for image_id in sorted({version.image_id for version in template.versions} & wanted):
            yield _reference(image_id, "ec2:LaunchTemplate", f"{prefix.format('ec2')}launch-template/{template.id}")
    parameters = ssm_backends[backend.account_id][backend.region_name]._parameters  # noqa: SLF001 - moto keeps them so
    for name, versions in sorted(dict.items(parameters)):
        if not versions or name.startswith("/aws/service/"):
            continue
        newest = versions[-1]
        if newest.data_type == "aws:ec2:image" and newest.value in wanted:
            yield _reference(newest.value, "ssm:Parameter", f"{prefix.format('ssm')}parameter/{name.lstrip('/')}")


def _reference(image_id: str, kind: str, arn: str) -> dict[str, str]:
    return {"ImageId": image_id, "ResourceType": kind, "Arn": arn}
