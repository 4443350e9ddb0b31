from __future__ import annotations

import subprocess
import sys

import cdk_ami

PUBLIC = [
    "AccountGuard",
    "Accounts",
    "Afterwards",
    "AgentConfig",
    "AgentLog",
    "AgentMetrics",
    "AmiChecks",
    "Architecture",
    "BandwidthWeighting",
    "BootTest",
    "BuildEnvironment",
    "BuildSchedule",
    "BuildState",
    "BuildTrigger",
    "CapacityUnit",
    "ChannelImage",
    "Component",
    "ComponentDocument",
    "ConfigError",
    "Consistency",
    "CpuOptions",
    "DeletionProtection",
    "Delivery",
    "Distribution",
    "FastLaunch",
    "FastRestore",
    "Fault",
    "Gate",
    "GoldenImage",
    "HealthCheck",
    "ImageChannel",
    "ImageCriterion",
    "ImageFile",
    "ImageFleet",
    "ImageKey",
    "ImageProducer",
    "InGroup",
    "InstanceCapture",
    "InstanceChoice",
    "InstanceNeeds",
    "KeyGrant",
    "LaunchPermission",
    "LaunchTemplateUpdate",
    "MaintenanceWindow",
    "ManagedComponent",
    "Meanwhile",
    "MixedInstances",
    "NamedImage",
    "NetworkOptions",
    "OnDemandAllocation",
    "PackageManager",
    "Phase",
    "Platform",
    "Promotion",
    "ProtectedInstances",
    "ReadyComponent",
    "Refresh",
    "RefreshStrategy",
    "Replacement",
    "Rollout",
    "Scaling",
    "Severity",
    "SharedChannel",
    "SourceImage",
    "SpotAllocation",
    "StandbyInstances",
    "StartCondition",
    "Step",
    "Target",
    "TargetAccountRole",
    "TerminationPolicy",
    "Tracking",
    "Volume",
    "WarmPool",
    "WarmPoolState",
    "Wave",
    "ZonalInstances",
    "ZonalShift",
    "ZoneBalance",
]
"""Removing a name from this list is a major version."""


def modules_after(statement: str) -> set[str]:
    shown = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sorted(sys.modules))"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(shown.stdout.split())


def test_the_public_names_are_these_and_each_has_a_docstring() -> None:
    assert cdk_ami.__all__ == PUBLIC
    assert [name for name in PUBLIC if not getattr(cdk_ami, name).__doc__] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(cdk_ami, "SilverImage")


def test_importing_the_package_imports_neither_the_cdk_nor_boto3() -> None:
    assert not modules_after("import cdk_ami") & {"aws_cdk", "jsii", "boto3", "botocore"}


def test_the_help_of_the_command_imports_neither_the_cdk_nor_boto3_nor_rich() -> None:
    assert not modules_after("import cdk_ami.cli.main as m; m.main.get_help(m.click.Context(m.main))") & {
        "aws_cdk",
        "jsii",
        "boto3",
        "botocore",
        "rich",
    }


def test_synthesis_never_imports_boto3() -> None:
    statement = "; ".join(f"cdk_ami.{name}" for name in PUBLIC)

    assert not modules_after(f"import cdk_ami; {statement}; import stacks.app_stacks") & {"boto3", "botocore"}
