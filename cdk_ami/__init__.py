"""Golden AMIs as code: describe an image once, and every server in every zone, Region and account runs exactly it.

The public names are loaded on first use, so that the command and the run-time code never import the CDK.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cdk_ami.account.criterion import ImageCriterion as ImageCriterion
    from cdk_ami.account.guard import AccountGuard as AccountGuard
    from cdk_ami.ami_checks import AmiChecks as AmiChecks
    from cdk_ami.build.capture import BootTest as BootTest
    from cdk_ami.build.capture import InstanceCapture as InstanceCapture
    from cdk_ami.build.capture_plan import Afterwards as Afterwards
    from cdk_ami.build.capture_plan import Consistency as Consistency
    from cdk_ami.build.capture_plan import InGroup as InGroup
    from cdk_ami.build.environment import BuildEnvironment as BuildEnvironment
    from cdk_ami.build.events import BuildState as BuildState
    from cdk_ami.build.events import Severity as Severity
    from cdk_ami.build.golden_image import GoldenImage as GoldenImage
    from cdk_ami.build.image import NamedImage as NamedImage
    from cdk_ami.build.schedule import BuildSchedule as BuildSchedule
    from cdk_ami.build.schedule import StartCondition as StartCondition
    from cdk_ami.build.trigger import BuildTrigger as BuildTrigger
    from cdk_ami.distribution.accounts import Accounts as Accounts
    from cdk_ami.distribution.channel import ImageChannel as ImageChannel
    from cdk_ami.distribution.channel import Tracking as Tracking
    from cdk_ami.distribution.channel_image import ChannelImage as ChannelImage
    from cdk_ami.distribution.delivery import Delivery as Delivery
    from cdk_ami.distribution.distribution import Distribution as Distribution
    from cdk_ami.distribution.image_key import ImageKey as ImageKey
    from cdk_ami.distribution.launch_permission import LaunchPermission as LaunchPermission
    from cdk_ami.distribution.producer import ImageProducer as ImageProducer
    from cdk_ami.distribution.promotion import Promotion as Promotion
    from cdk_ami.distribution.promotion_gate import Gate as Gate
    from cdk_ami.distribution.promotion_gate import Wave as Wave
    from cdk_ami.distribution.promotion_plan import Meanwhile as Meanwhile
    from cdk_ami.distribution.shared_channel import SharedChannel as SharedChannel
    from cdk_ami.distribution.target import FastLaunch as FastLaunch
    from cdk_ami.distribution.target import LaunchTemplateUpdate as LaunchTemplateUpdate
    from cdk_ami.distribution.target import Target as Target
    from cdk_ami.distribution.target_account_role import TargetAccountRole as TargetAccountRole
    from cdk_ami.errors import ConfigError as ConfigError
    from cdk_ami.errors import Fault as Fault
    from cdk_ami.fleet.fast_restore import FastRestore as FastRestore
    from cdk_ami.fleet.group import DeletionProtection as DeletionProtection
    from cdk_ami.fleet.group import HealthCheck as HealthCheck
    from cdk_ami.fleet.group import TerminationPolicy as TerminationPolicy
    from cdk_ami.fleet.group import ZonalShift as ZonalShift
    from cdk_ami.fleet.group import ZoneBalance as ZoneBalance
    from cdk_ami.fleet.hardware import BandwidthWeighting as BandwidthWeighting
    from cdk_ami.fleet.hardware import CpuOptions as CpuOptions
    from cdk_ami.fleet.hardware import NetworkOptions as NetworkOptions
    from cdk_ami.fleet.image_fleet import ImageFleet as ImageFleet
    from cdk_ami.fleet.key_grant import KeyGrant as KeyGrant
    from cdk_ami.fleet.mixed import CapacityUnit as CapacityUnit
    from cdk_ami.fleet.mixed import InstanceChoice as InstanceChoice
    from cdk_ami.fleet.mixed import InstanceNeeds as InstanceNeeds
    from cdk_ami.fleet.mixed import MixedInstances as MixedInstances
    from cdk_ami.fleet.mixed import OnDemandAllocation as OnDemandAllocation
    from cdk_ami.fleet.mixed import SpotAllocation as SpotAllocation
    from cdk_ami.fleet.refresh import ProtectedInstances as ProtectedInstances
    from cdk_ami.fleet.refresh import Refresh as Refresh
    from cdk_ami.fleet.refresh import RefreshStrategy as RefreshStrategy
    from cdk_ami.fleet.refresh import StandbyInstances as StandbyInstances
    from cdk_ami.fleet.rollout import MaintenanceWindow as MaintenanceWindow
    from cdk_ami.fleet.rollout import Rollout as Rollout
    from cdk_ami.fleet.scaling import Scaling as Scaling
    from cdk_ami.fleet.warm_pool import WarmPool as WarmPool
    from cdk_ami.fleet.warm_pool import WarmPoolState as WarmPoolState
    from cdk_ami.fleet.zonal_instances import Replacement as Replacement
    from cdk_ami.fleet.zonal_instances import ZonalInstances as ZonalInstances
    from cdk_ami.recipe.agent import AgentConfig as AgentConfig
    from cdk_ami.recipe.agent import AgentLog as AgentLog
    from cdk_ami.recipe.agent import AgentMetrics as AgentMetrics
    from cdk_ami.recipe.builder import ComponentDocument as ComponentDocument
    from cdk_ami.recipe.builder import Phase as Phase
    from cdk_ami.recipe.builder import Step as Step
    from cdk_ami.recipe.component import Component as Component
    from cdk_ami.recipe.files import ImageFile as ImageFile
    from cdk_ami.recipe.managed import ManagedComponent as ManagedComponent
    from cdk_ami.recipe.packages import PackageManager as PackageManager
    from cdk_ami.recipe.ready import ReadyComponent as ReadyComponent
    from cdk_ami.recipe.volume import Volume as Volume
    from cdk_ami.source.image import SourceImage as SourceImage
    from cdk_ami.source.platform import Architecture as Architecture
    from cdk_ami.source.platform import Platform as Platform

_HOMES = {
    "AccountGuard": "account.guard",
    "Accounts": "distribution.accounts",
    "Afterwards": "build.capture_plan",
    "AgentConfig": "recipe.agent",
    "AgentLog": "recipe.agent",
    "AgentMetrics": "recipe.agent",
    "AmiChecks": "ami_checks",
    "Architecture": "source.platform",
    "BandwidthWeighting": "fleet.hardware",
    "BootTest": "build.capture",
    "BuildEnvironment": "build.environment",
    "BuildSchedule": "build.schedule",
    "BuildState": "build.events",
    "BuildTrigger": "build.trigger",
    "CapacityUnit": "fleet.mixed",
    "ChannelImage": "distribution.channel_image",
    "Component": "recipe.component",
    "ComponentDocument": "recipe.builder",
    "ConfigError": "errors",
    "Consistency": "build.capture_plan",
    "CpuOptions": "fleet.hardware",
    "DeletionProtection": "fleet.group",
    "Delivery": "distribution.delivery",
    "Distribution": "distribution.distribution",
    "FastLaunch": "distribution.target",
    "FastRestore": "fleet.fast_restore",
    "Fault": "errors",
    "Gate": "distribution.promotion_gate",
    "GoldenImage": "build.golden_image",
    "HealthCheck": "fleet.group",
    "ImageChannel": "distribution.channel",
    "ImageCriterion": "account.criterion",
    "ImageFile": "recipe.files",
    "ImageFleet": "fleet.image_fleet",
    "ImageKey": "distribution.image_key",
    "ImageProducer": "distribution.producer",
    "InGroup": "build.capture_plan",
    "InstanceCapture": "build.capture",
    "InstanceChoice": "fleet.mixed",
    "InstanceNeeds": "fleet.mixed",
    "KeyGrant": "fleet.key_grant",
    "LaunchPermission": "distribution.launch_permission",
    "LaunchTemplateUpdate": "distribution.target",
    "MaintenanceWindow": "fleet.rollout",
    "ManagedComponent": "recipe.managed",
    "Meanwhile": "distribution.promotion_plan",
    "MixedInstances": "fleet.mixed",
    "NamedImage": "build.image",
    "NetworkOptions": "fleet.hardware",
    "OnDemandAllocation": "fleet.mixed",
    "PackageManager": "recipe.packages",
    "Phase": "recipe.builder",
    "Platform": "source.platform",
    "Promotion": "distribution.promotion",
    "ProtectedInstances": "fleet.refresh",
    "ReadyComponent": "recipe.ready",
    "Refresh": "fleet.refresh",
    "RefreshStrategy": "fleet.refresh",
    "Replacement": "fleet.zonal_instances",
    "Rollout": "fleet.rollout",
    "Scaling": "fleet.scaling",
    "Severity": "build.events",
    "SharedChannel": "distribution.shared_channel",
    "SourceImage": "source.image",
    "SpotAllocation": "fleet.mixed",
    "StandbyInstances": "fleet.refresh",
    "StartCondition": "build.schedule",
    "Step": "recipe.builder",
    "Target": "distribution.target",
    "TargetAccountRole": "distribution.target_account_role",
    "TerminationPolicy": "fleet.group",
    "Tracking": "distribution.channel",
    "Volume": "recipe.volume",
    "WarmPool": "fleet.warm_pool",
    "WarmPoolState": "fleet.warm_pool",
    "Wave": "distribution.promotion_gate",
    "ZonalInstances": "fleet.zonal_instances",
    "ZonalShift": "fleet.group",
    "ZoneBalance": "fleet.group",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - one list of names, not two


def __getattr__(name: str) -> object:
    """Load a public name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cdk_ami' has no attribute {name!r}")
    value = getattr(import_module(f"cdk_ami.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *_HOMES})
