"""Mends of the emulator's EC2: AMIs with lineage, owners and encryption, and launches that check what they use."""

from __future__ import annotations

from typing import Final

from moto.ec2.models.amis import AmiBackend
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.launch_templates import LaunchTemplates

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.ec2 import (
    allowed_answers,
    call,
    defaults,
    describing,
    fast_launch,
    fast_restore,
    idempotency,
    images,
    instance_notices,
    launch,
    lineage,
    recycling,
    references,
    retirement,
    root_volumes,
    sharing,
    snapshot_answers,
    templates,
    usage,
    volume_answers,
)

OPERATIONS: Final[dict[str, call.Operation]] = {
    **allowed_answers.OPERATIONS,
    **defaults.OPERATIONS,
    **describing.OPERATIONS,
    **fast_launch.OPERATIONS,
    **fast_restore.OPERATIONS,
    **images.OPERATIONS,
    **lineage.OPERATIONS,
    **recycling.OPERATIONS,
    **references.OPERATIONS,
    **retirement.OPERATIONS,
    **root_volumes.OPERATIONS,
    **sharing.OPERATIONS,
    **snapshot_answers.OPERATIONS,
    **usage.OPERATIONS,
    **volume_answers.OPERATIONS,
}
"""The operations that are wholly ours, by their names in the service's model."""

INSTEAD: Final = frozenset(
    {
        "AttachVolume",
        "CopyImage",
        "CopySnapshot",
        "CreateImage",
        "CreateSnapshot",
        "CreateSnapshots",
        "CreateVolume",
        "DeleteSnapshot",
        "DeregisterImage",
        "DescribeImageAttribute",
        "DescribeImages",
        "DescribeSnapshotAttribute",
        "DescribeSnapshots",
        "DisableEbsEncryptionByDefault",
        "DisableImage",
        "EnableEbsEncryptionByDefault",
        "EnableImage",
        "GetEbsEncryptionByDefault",
        "ModifyEbsDefaultKmsKeyId",
        "ModifyImageAttribute",
        "ModifySnapshotAttribute",
        "RegisterImage",
        "ResetImageAttribute",
        "ResetSnapshotAttribute",
    }
)
"""Those of them that the emulator has too."""


def install() -> None:
    """Put the operations and methods into the emulator's classes."""
    call.join(OPERATIONS, instead=INSTEAD)
    emulator.graft(AmiBackend, images.ImageOperations)
    emulator.graft(LaunchTemplate, templates.TemplateMethods)
    emulator.graft(LaunchTemplates, templates.TemplateAnswers, new=templates.NEW_ANSWERS)
    emulator.graft(InstanceBackend, launch.LaunchOperations, new=launch.NEW)
    launch.ORIGINAL.update(emulator.graft(InstanceResponse, launch.LaunchAnswers))
    emulator.graft(EBSBackend, snapshot_answers.SnapshotOperations)
    idempotency.install()
    instance_notices.install()
