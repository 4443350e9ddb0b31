"""Mends of the emulator's EC2: AMIs with lineage, owners and encryption, and launches that check what they use."""

from __future__ import annotations

from moto.ec2.models.amis import AmiBackend
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.responses.amis import AmisResponse
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.launch_templates import LaunchTemplates

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.ec2 import image_answers, images, instance_notices, launch, storage, templates


def install() -> None:
    """Put the methods into the emulator's classes."""
    emulator.graft(AmiBackend, images.ImageOperations, new=images.NEW)
    emulator.graft(AmisResponse, image_answers.ImageAnswers, new=image_answers.NEW)
    emulator.graft(LaunchTemplate, templates.TemplateMethods)
    emulator.graft(LaunchTemplates, templates.TemplateAnswers, new=templates.NEW_ANSWERS)
    emulator.graft(InstanceBackend, launch.LaunchOperations, new=launch.NEW)
    launch.ORIGINAL.update(emulator.graft(InstanceResponse, launch.LaunchAnswers))
    emulator.graft(EBSBackend, storage.StorageOperations)
    emulator.graft(ElasticBlockStore, storage.StorageAnswers)
    instance_notices.install()
