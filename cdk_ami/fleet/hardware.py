"""Processor and network of instances, where their defaults will not do: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cdk_ami.checks import groups as rules

if TYPE_CHECKING:
    from cdk_ami.errors import Faults


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuOptions:
    """How much of its processor an instance uses.  It costs the same: licenses by the core are what gets cheaper.

    Attributes:
        core_count: Number of cores; together with the next.  None: all.
        threads_per_core: 1 switches simultaneous multithreading off, 2 keeps it; Graviton has 1 in any case.
        amd_sev_snp: Whether AMD encrypts the memory, for c6a, m6a and r6a only.  It costs 10 % more.
        nested_virtualization: Whether virtual machines run in the instance, for c8i, m8i and r8i only.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-optimize-cpu.html
    """

    core_count: int | None = None
    threads_per_core: int | None = None
    amd_sev_snp: bool = False
    nested_virtualization: bool = False

    def find_faults(self, faults: Faults, *, instance_type: str | None) -> None:
        """Record in ``faults`` what EC2 would refuse.

        Args:
            faults: The call's faults.
            instance_type: The type, None where there are several.
        """
        faults.check("cpu", rules.cpu_options(self.core_count, self.threads_per_core, instance_type))
        features = rules.cpu_features(instance_type, sev_snp=self.amd_sev_snp, nested=self.nested_virtualization)
        faults.check("cpu", features)


class BandwidthWeighting(StrEnum):
    """Which of its two roads an instance widens by a quarter at the other's expense.

    Instance types of the eighth generation.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-bandwidth-weighting.html
    """

    NETWORK = "vpc-1"
    """More bandwidth to the network, less to volumes."""

    VOLUMES = "ebs-1"
    """More bandwidth to volumes, less to the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """The network interface of an instance.

    Attributes:
        bandwidth: Which bandwidth is widened.  None: neither.
        public_ip: Whether instances get a public address, about 3.60 USD a month each.  None: what the subnet says.
    """

    bandwidth: BandwidthWeighting | None = None
    public_ip: bool | None = None
