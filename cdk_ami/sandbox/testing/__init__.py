"""The sandbox for tests: `LocalAws`, one local AWS in the process of the tests, and what can be asked of it.

With pytest, the fixture ``cdk_ami_sandbox`` hands it out, empty for each test.  Without, it is a context manager.
"""

from __future__ import annotations

from cdk_ami.sandbox.testing.control import CausedFault as CausedFault
from cdk_ami.sandbox.testing.control import Clock as Clock
from cdk_ami.sandbox.testing.control import Faults as Faults
from cdk_ami.sandbox.testing.control import NotedCall as NotedCall
from cdk_ami.sandbox.testing.deploy import DeployError as DeployError
from cdk_ami.sandbox.testing.local_aws import LocalAws as LocalAws

__all__ = ["CausedFault", "Clock", "DeployError", "Faults", "LocalAws", "NotedCall"]
