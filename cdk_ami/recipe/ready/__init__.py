"""Components that come with the library: documents beside this module, for Amazon Linux, Debian and Ubuntu."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from cdk_ami.checks import components as rules
from cdk_ami.errors import Faults
from cdk_ami.recipe.document import Document, read_document


class ReadyComponent(StrEnum):
    """Names of the components that come with the library.

    Each builds, validates before the snapshot, and tests on an instance of the new AMI.
    """

    DISK_REPORT = "disk-report"
    """Writes disks, file systems and mounts into a report, and checks that they are mounted and have room."""

    IMDSV2_CLIENTS = "imdsv2-clients"
    """Lets the AWS clients of all users and services ask the metadata service in its second version only."""

    NO_LEFTOVERS = "no-leftovers"
    """Removes SSH keys, host keys and histories, and checks for what a scan of the Marketplace refuses."""

    PACKAGE_SBOM = "package-sbom"
    """Writes the list of installed packages as a software bill of materials, CycloneDX in JSON."""

    SECURITY_UPDATES = "security-updates"
    """Installs security updates unattended, by the tool that the distribution has for it."""

    TIME_SYNC = "time-sync"
    """Keeps time with chrony and the Amazon Time Sync Service."""


def document_of(component: ReadyComponent | str, *, where: str) -> Document:
    """Return the document of a component.

    Args:
        component: Which one.
        where: What an error names.

    Raises:
        ConfigError: When there is none of this name.
    """
    faults = Faults(where)
    faults.check("component", rules.ready_component(str(component), [str(one) for one in ReadyComponent]))
    faults.raise_if_any()
    return read_document(Path(__file__).with_name(f"{component}.yaml"))
