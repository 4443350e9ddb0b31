"""How an AMI is captured from a server, as plain data: what both the state machine and the command go by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from cdk_ami.naming import IMAGE_TAG, normalized

CAPTURE_TAG: Final = "cdk-ami:capture"
"""Tag of a captured AMI and its snapshots: the id of the capture, by which a second try finds it."""

FROM_TAG: Final = "cdk-ami:captured-from"
"""Tag of a captured AMI: the instance."""

STATE_TAG: Final = "cdk-ami:capture-state"
"""Tag of an instance while it is captured: the state it was in before, which it is brought back to."""

TEST_TAG: Final = "cdk-ami:capture-test"
"""Tag of a throw-away instance that proves that a captured AMI boots: the id of the capture."""

NAME_MAX: Final = 128
"""Characters of the name of an AMI.  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html"""

_HASH_CHARS: Final = 32


class Consistency(StrEnum):
    """What is known of the file systems of an AMI."""

    STOPPED = "stopped"
    """The instance is stopped first: everything that was written is in the AMI."""

    CRASH_CONSISTENT = "crash-consistent"
    """The instance runs on (``NoReboot``).  The AMI is what a disk is after a power failure: data in memory is missing,
    several volumes may be of different moments, and a database may not start from it."""


class Afterwards(StrEnum):
    """What becomes of the instance when its AMI is made."""

    AS_BEFORE = "as-before"
    """One that ran is started again, one that was stopped stays so."""

    START = "start"
    """It is started, whatever it was."""

    LEAVE_STOPPED = "leave-stopped"
    """It stays stopped."""

    TERMINATE = "terminate"
    """It is terminated, once the AMI is there, booted and distributed.  When anything fails it is as before."""


class InGroup(StrEnum):
    """What is done with an instance of an Auto Scaling group, which would replace a stopped one."""

    REFUSE = "refuse"
    """Nothing is touched, and the capture fails."""

    STANDBY = "standby"
    """It goes into standby, the group's desired capacity goes down by one, and it comes back afterwards."""


SANITIZE_LINUX: Final = (
    "rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub",
    "find /root /home -maxdepth 2 -name '.*_history' -type f -delete",
    "rm -f /root/.ssh/authorized_keys; find /home -maxdepth 3 -path '*/.ssh/authorized_keys' -type f -delete",
    "if command -v cloud-init; then cloud-init clean --logs; fi",
    "if [ -e /etc/machine-id ]; then : > /etc/machine-id; fi; rm -f /var/lib/dbus/machine-id",
    "sync",
)
"""What makes a Linux server forget who it is: host keys, histories, who may log in, cloud-init's state, machine id.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/building-shared-amis.html"""

SANITIZE_WINDOWS: Final = (
    '& "$env:ProgramFiles\\Amazon\\EC2Launch\\EC2Launch.exe" sysprep --clean --block; exit $LASTEXITCODE',
)
"""What makes a Windows server forget who it is: Sysprep, by EC2Launch v2.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-create-win-sysprep.html"""


def capture_name(image: str, capture_id: str) -> str:
    """Return the name of the AMI of one capture: the same for the same capture, and no other's."""
    digest = hashlib.md5(capture_id.encode(), usedforsecurity=False).hexdigest()
    return f"{name_stem(image)}{digest}"


def name_stem(image: str) -> str:
    """Return what the names of the AMIs captured for an image begin with."""
    return f"{normalized(image)[: NAME_MAX - _HASH_CHARS - len('-captured-')]}-captured-"


def ami_tags(image: str, tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of captured AMIs and their snapshots that are known beforehand."""
    return {IMAGE_TAG: normalized(image), **tags}


def mappings_without(devices: Sequence[str]) -> list[dict[str, Any]]:
    """Return the block device mappings by which ``CreateImage`` leaves volumes out."""
    return [{"DeviceName": device, "NoDevice": ""} for device in devices]


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as EC2 takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
