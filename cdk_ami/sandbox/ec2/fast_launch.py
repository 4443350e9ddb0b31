"""Fast launch: Windows AMIs with snapshots prepared ahead.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/win-ami-config-fast-launch.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ec2.call import Answer, Call, Operation
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.templates import find_template
from cdk_ami.sandbox.pace import PACE

LEAST_PARALLEL: Final = 6
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableFastLaunch.html."""

DEFAULT_TARGET: Final = 5
"""Snapshots held ready unless asked for.  The user guide's page above."""


@dataclass(slots=True, kw_only=True)
class FastLaunch:
    """Fast launch of one AMI."""

    image_id: str
    owner: str
    target: int
    parallel: int
    template: dict[str, Any] | None
    changed: datetime
    disabling: bool = False

    @property
    def settled(self) -> bool:
        """Tell whether the change under way is over."""
        return self.changed + timedelta(seconds=PACE.image) <= CLOCK.now()

    @property
    def state(self) -> str:
        """State in EC2's words, by the clock."""
        if self.disabling:
            return "disabling"
        return "enabled" if self.settled else "enabling"

    def describe(self, state: str) -> dict[str, Any]:
        """Return the record in a state."""
        record = {
            "ImageId": self.image_id,
            "LaunchTemplate": self.template,
            "MaxParallelLaunches": self.parallel,
            "OwnerId": self.owner,
            "ResourceType": "snapshot",
            "SnapshotConfiguration": {"TargetResourceCount": self.target},
            "State": state,
            "StateTransitionReason": "Client.UserInitiated",
            "StateTransitionTime": self.changed,
        }
        return {name: value for name, value in record.items() if value is not None}


FILTERS: Final[Mapping[str, Callable[[FastLaunch], Any]]] = {
    "owner-id": lambda held: held.owner,
    "resource-type": lambda _: "snapshot",
    "state": lambda held: held.state,
}


def _held(backend: Any) -> dict[str, FastLaunch]:
    """Return the AMIs with fast launch; those whose clean-up is over are none any more."""
    # The backend's own dictionary, so that a reset forgets it too.
    held: dict[str, FastLaunch] = backend.__dict__.setdefault("sandbox_fast_launches", {})
    for gone in [each.image_id for each in held.values() if each.disabling and each.settled]:
        del held[gone]
    return held


def enable_fast_launch(call: Call) -> Answer:
    """Answer EnableFastLaunch, for Windows AMIs of the account or shared with it."""
    image, held = call.any_image(), _held(call.backend)
    if image.platform != "windows":
        raise refusal("InvalidParameter", f"The image {image.id} is no Windows AMI")
    if image.state != "available":
        raise refusal("InvalidAMIID.Unavailable", f"The image ID '{image.id}' is not available: it is {image.state}")
    if call.get("ResourceType", "snapshot") != "snapshot":
        raise refusal("InvalidParameterValue", f"Invalid value '{call.get('ResourceType')}' for resourceType")
    parallel = int(call.get("MaxParallelLaunches", LEAST_PARALLEL))
    if parallel < LEAST_PARALLEL:
        raise refusal("InvalidParameterValue", f"MaxParallelLaunches must be {LEAST_PARALLEL} or more, got {parallel}")
    target = int(call.get("SnapshotConfiguration", {}).get("TargetResourceCount", DEFAULT_TARGET))
    if target < 1:
        raise refusal("InvalidParameterValue", f"TargetResourceCount must be 1 or more, got {target}")
    if image.id in held and held[image.id].disabling:
        raise refusal("IncorrectState", f"The image {image.id} still has prepared snapshots: it is disabling")
    template = call.get("LaunchTemplate")
    if template:
        find_template(call.backend, template).get_version(template.get("Version"))  # refuses what does not exist
    found = FastLaunch(
        image_id=image.id,
        owner=call.account,
        target=target,
        parallel=parallel,
        template=dict(template) if template else None,
        changed=CLOCK.now(),
    )
    held[image.id] = found
    return found.describe("enabling")


def disable_fast_launch(call: Call) -> Answer:
    """Answer DisableFastLaunch."""
    found = _held(call.backend).get(call.need("ImageId"))
    if found is None:
        raise refusal("InvalidRequest", f"The image {call.get('ImageId')} has no fast launch")
    if not found.disabling:
        found.disabling, found.changed = True, CLOCK.now()
    return found.describe("disabling")


def describe_fast_launch_images(call: Call) -> Answer:
    """Answer DescribeFastLaunchImages."""
    wanted = call.get("ImageIds", [])
    held = [each for each in _held(call.backend).values() if not wanted or each.image_id in wanted]
    return call.page("FastLaunchImages", [each.describe(each.state) for each in call.select(held, FILTERS)])


OPERATIONS: Final[dict[str, Operation]] = {
    "DescribeFastLaunchImages": describe_fast_launch_images,
    "DisableFastLaunch": disable_fast_launch,
    "EnableFastLaunch": enable_fast_launch,
}
