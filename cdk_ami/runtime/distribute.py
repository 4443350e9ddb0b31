"""Distributes an AMI that exists, follows its way, and retries what failed: what ``ImageProducer`` does, by hand.

Everything here may stop at any moment and start again: what was begun is found by its client token and by the tag that
the AMI carries, never begun twice.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.distribution.handover import (
    BAD,
    FINGERPRINT_TAG,
    GONE,
    GOOD,
    ROLE_TAG,
    contents_fingerprint,
    delivery_note,
    delivery_noted,
    delivery_tag,
    delivery_token,
    fingerprint_of,
)
from cdk_ami.limits import BUILD_DATE
from cdk_ami.naming import IMAGE_TAG, channel_parameter, normalized, scoped_name
from cdk_ami.runtime.inventory import IMAGE_ARN_TAG
from cdk_ami.runtime.regions import RegionClients

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
"""How long to wait between two looks: the first one, and the longest; each is half as long again as the one before."""

_A_ROLE: Final = (
    "take the execution role of an ImageProducer, or make one that trusts imagebuilder.amazonaws.com and may copy AMIs"
)

_BUILD: Final = re.compile(r"arn:[^:]+:imagebuilder:(?P<region>[^:]+):\d{12}:image/[^/]+/\d+\.\d+\.\d+/\d+")
_SHORT: Final = re.compile(r"(?P<name>[^/]+)(?:/(?P<version>\d+\.\d+\.\d+)(?:/(?P<build>\d+))?)?")


class DistributeError(RuntimeError):
    """A distribution that cannot be started or retried, with what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A distribution configuration.

    Attributes:
        arn: Its ARN.
        name: Its name.
        image: Name of the image whose AMIs it distributes.
        fingerprint: What stands for its contents.
        role: The role that distributes by it; None where it names none.
        regions: The Regions it brings AMIs to.
        keyless: Those of them whose copies no key encrypts.
    """

    arn: str
    name: str
    image: str
    fingerprint: str
    role: str | None
    regions: tuple[str, ...]
    keyless: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """One AMI of a distribution.

    Attributes:
        region: Its Region.
        account: Account that owns it.
        image_id: AMI id, empty while there is none.
        state: State of the AMI, such as ``pending``.
        progress: How far its snapshots are, such as ``40%``; empty when nobody says.
        reason: Why there is none, or empty.
    """

    region: str
    account: str
    image_id: str
    state: str
    progress: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the distribution of an image resource is.

    Attributes:
        image: ARN of the image resource.
        status: Its status.
        reason: Why it failed, or empty.
        amis: The AMIs that are known of.
    """

    image: str
    status: str
    reason: str
    amis: tuple[Copied, ...]

    @property
    def settled(self) -> bool:
        """Whether nothing changes any more unless somebody asks for it."""
        return self.status in {*GOOD, *BAD, *GONE}

    @property
    def good(self) -> bool:
        """Whether the AMI is in every target."""
        return self.status in GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody asks for at a keyboard.

    Attributes:
        ami: The AMI.
        configuration: ARN of the distribution configuration.
        image: Name of the image, for a configuration that is made here.
        regions: Regions of a configuration that is made here; none where it is to exist.
        role: The execution role; None leaves it to the configuration.
        allow_unencrypted: Whether copies may be unencrypted.
    """

    ami: str
    configuration: str
    image: str = ""
    regions: tuple[str, ...] = ()
    role: str | None = None
    allow_unencrypted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a distribution would do.

    Attributes:
        ami: The AMI.
        configuration: ARN of the distribution configuration.
        makes_configuration: Whether that would be made first.
        role: The execution role.
        regions: The Regions that would get a copy.
        earlier: The image resource by which the AMI was distributed so before, and which would be gone on with.
        status: Status of that image resource, empty without one.
        problems: Why nothing would be copied.
    """

    ami: str
    configuration: str
    makes_configuration: bool
    role: str | None
    regions: tuple[str, ...]
    earlier: str | None
    status: str
    problems: tuple[str, ...]


def plain_distributions(image: str, regions: Sequence[str]) -> list[dict[str, Any]]:
    """Return what brings AMIs of ``image`` to ``regions`` and moves its entry channel there, as the API takes it."""
    return [
        {
            "region": region,
            "amiDistributionConfiguration": {
                "name": f"{normalized(image)}-{BUILD_DATE}",
                "description": f"{normalized(image)}, a golden image",
                "amiTags": {IMAGE_TAG: normalized(image)},
            },
            "ssmParameterConfigurations": [{"parameterName": channel_parameter(image), "dataType": "aws:ec2:image"}],
        }
        for region in regions
    ]


def plain_configuration_name(image: str, regions: Sequence[str]) -> str:
    """Return the name of the configuration to ``regions``: the same for the same contents."""
    contents = contents_fingerprint(plain_distributions(image, regions))
    return scoped_name(normalized(image), "to", contents[:12])


def find_configuration(imagebuilder: Any, arn: str) -> Configuration:
    """Return the distribution configuration of that ARN."""
    found = imagebuilder.get_distribution_configuration(distributionConfigurationArn=arn)["distributionConfiguration"]
    tags: Mapping[str, str] = found.get("tags") or {}
    return Configuration(
        arn=found["arn"],
        name=found["name"],
        image=tags.get(IMAGE_TAG, found["name"]),
        fingerprint=fingerprint_of(found),
        role=tags.get(ROLE_TAG),
        regions=tuple(target["region"] for target in found.get("distributions", ())),
        keyless=tuple(
            target["region"]
            for target in found.get("distributions", ())
            if not (target.get("amiDistributionConfiguration") or {}).get("kmsKeyId")
        ),
    )


def configuration_arn(imagebuilder: Any, account: str, name_or_arn: str) -> str:
    """Return the ARN of a distribution configuration of this account and Region that is given by name or by ARN."""
    if name_or_arn.startswith("arn:"):
        return name_or_arn
    region = imagebuilder.meta.region_name
    return (
        f"arn:{imagebuilder.meta.partition}:imagebuilder:{region}:{account}"
        f":distribution-configuration/{normalized(name_or_arn)}"
    )


def ensure_configuration(imagebuilder: Any, arn: str, image: str, regions: Sequence[str], role: str) -> Configuration:
    """Return the configuration of that ARN, which brings ``image`` to ``regions``; make it where there is none."""
    contents = plain_distributions(image, regions)
    try:
        imagebuilder.create_distribution_configuration(
            name=plain_configuration_name(image, regions),
            description=f"Where AMIs of {normalized(image)} go that are distributed by hand",
            distributions=contents,
            tags={IMAGE_TAG: normalized(image), FINGERPRINT_TAG: contents_fingerprint(contents), ROLE_TAG: role},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
    return find_configuration(imagebuilder, arn)


def plan(clients: RegionClients, order: Order, iam: Any) -> Plan:
    """Return what an order would do, and what speaks against it; reads only.

    Raises:
        DistributeError: When there is no such configuration and none is to be made.
    """
    try:
        found = find_configuration(clients.imagebuilder, order.configuration)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        if not order.regions:
            name = order.configuration.rpartition("/")[2]
            raise DistributeError(
                f"there is no distribution configuration {name} in {clients.region}; deploy an ImageProducer of that "
                "name, or say where the AMI goes with --to and by which role with --role"
            ) from None
        return Plan(
            ami=order.ami,
            configuration=order.configuration,
            makes_configuration=True,
            role=order.role,
            regions=order.regions,
            earlier=None,
            status="",
            problems=tuple(_problems(clients, order, iam, order.role, order.regions)),
        )
    role = order.role or found.role
    earlier = recall(clients, order.ami, found)
    return Plan(
        ami=order.ami,
        configuration=order.configuration,
        makes_configuration=False,
        role=role,
        regions=found.regions,
        earlier=earlier,
        status=(earlier and _status(clients.imagebuilder, earlier)) or "",
        problems=tuple(_problems(clients, order, iam, role, found.keyless)),
    )


def role_problems(iam: Any, role: str) -> Iterator[str]:
    """Yield why nobody can distribute by ``role``, a name or an ARN; whoever may not look at it sees no reason."""
    try:
        iam.get_role(RoleName=role.rpartition("/")[2])
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchEntity":
            yield f"the role {role} does not exist; {_A_ROLE}"
        elif code not in {"AccessDenied", "AccessDeniedException"}:
            raise


def plain_problem(what: str, devices: Sequence[str], regions: Sequence[str]) -> str:
    """Return in words that copies of ``what`` would not be encrypted."""
    return (
        f"{what} is not encrypted at {', '.join(devices)}, and no key is named for its copies in {', '.join(regions)}; "
        "distribute it by an ImageProducer with kms_keys, or give --allow-unencrypted if copies may be unencrypted, or "
        "these Regions encrypt by default"
    )


def _problems(
    clients: RegionClients, order: Order, iam: Any, role: str | None, keyless: Sequence[str]
) -> Iterator[str]:
    if role is None:
        yield f"{order.configuration} names no execution role; give --role"
    else:
        yield from role_problems(iam, role)
    if keyless and not order.allow_unencrypted:
        devices = [
            mapping["DeviceName"]
            for image in clients.ec2.describe_images(ImageIds=[order.ami])["Images"]
            for mapping in image.get("BlockDeviceMappings", ())
            if "Ebs" in mapping and not mapping["Ebs"].get("Encrypted")
        ]
        if devices:
            yield plain_problem(order.ami, devices, keyless)


def begin(clients: RegionClients, order: Order) -> tuple[str, Configuration]:
    """Do what an order says, or go on with what was begun of it; return the image resource and the configuration.

    Raises:
        DistributeError: When nobody says by which role to distribute.
    """
    builder = clients.imagebuilder
    if order.regions:
        configuration = ensure_configuration(builder, order.configuration, order.image, order.regions, order.role or "")
    else:
        configuration = find_configuration(builder, order.configuration)
    role = order.role or configuration.role
    if role is None:
        raise DistributeError(f"{configuration.arn} names no execution role; give --role")
    return deliver(clients, order.ami, configuration, role=role), configuration


def resolve_source(clients: RegionClients, source: str, account: str) -> str:
    """Return the AMI id that an AMI id, ``ssm:PARAMETER`` or the ARN of an image resource names in this Region.

    Raises:
        DistributeError: When it names none that is available here.
    """
    ami = source
    if source.startswith("ssm:"):
        ami = clients.ssm.get_parameter(Name=source.removeprefix("ssm:"))["Parameter"]["Value"]
    elif source.startswith("arn:"):
        image = clients.imagebuilder.get_image(imageBuildVersionArn=source)["image"]
        here = [
            one["image"]
            for one in (image.get("outputResources") or {}).get("amis", ())
            if (one["region"], one["accountId"]) == (clients.region, account) and "image" in one
        ]
        if not here:
            raise DistributeError(f"{source} has no AMI in {clients.region}")
        ami = here[0]
    states = [found["State"] for found in clients.ec2.describe_images(ImageIds=[ami])["Images"]]
    if states != ["available"]:
        raise DistributeError(
            f"{ami} is {states[0] if states else 'not to be seen'} in {clients.region}, not available"
        )
    return str(ami)


def recall(clients: RegionClients, ami: str, configuration: Configuration) -> str | None:
    """Return the image resource by which ``ami`` was distributed by this configuration before, None without one."""
    filters = [
        {"Name": "resource-id", "Values": [ami]},
        {"Name": "key", "Values": [delivery_tag(configuration.name)]},
    ]
    token = delivery_token(ami, configuration.arn, configuration.fingerprint)
    for tag in clients.ec2.describe_tags(Filters=filters)["Tags"]:
        arn = delivery_noted(tag["Value"], token)
        if arn is not None and _status(clients.imagebuilder, arn) is not None:
            return arn
    return None


def deliver(
    clients: RegionClients, ami: str, configuration: Configuration, *, role: str, log_group: str | None = None
) -> str:
    """Start the distribution of ``ami``, or find and retry the one of before; return its image resource.

    Args:
        clients: Clients of the Region of the AMI.
        ami: The AMI.
        configuration: Where it goes.
        role: The execution role, by name or ARN.
        log_group: Log group of the distribution.  Default: the service's own.
    """
    arn = recall(clients, ami, configuration)
    if arn is None:
        token = delivery_token(ami, configuration.arn, configuration.fingerprint)
        logging = {"loggingConfiguration": {"logGroupName": log_group}} if log_group else {}
        arn = str(
            clients.imagebuilder.distribute_image(
                sourceImage=ami,
                distributionConfigurationArn=configuration.arn,
                executionRole=role,
                tags={IMAGE_TAG: configuration.image},
                clientToken=token,
                **logging,
            )["imageBuildVersionArn"]
        )
        note = {"Key": delivery_tag(configuration.name), "Value": delivery_note(token, arn)}
        clients.ec2.create_tags(Resources=[ami], Tags=[note])
    if _status(clients.imagebuilder, arn) in BAD:
        clients.imagebuilder.retry_image(imageBuildVersionArn=arn)
    return arn


def retry(imagebuilder: Any, arn: str) -> bool:
    """Go on with a build that failed or was cancelled; return whether it was this call that did it.

    A build that is on its way already, because of an earlier call, is left to go on.

    Raises:
        DistributeError: When it cannot be retried.
    """
    image = imagebuilder.get_image(imageBuildVersionArn=arn)["image"]
    status = image["state"]["status"]
    if image.get("type", "AMI") != "AMI":
        raise DistributeError(f"{arn} makes container images; only builds of AMIs can be retried, start it anew")
    if status in {*GOOD, *GONE}:
        raise DistributeError(f"{arn} is {status}; only builds that are FAILED or CANCELLED can be retried")
    if status not in BAD:
        return False
    imagebuilder.retry_image(imageBuildVersionArn=arn)
    return True


def newest_build(imagebuilder: Any, image: str) -> str:
    """Return the ARN of a build that is given as ARN, ``NAME``, ``NAME/VERSION`` or ``NAME/VERSION/BUILD``.

    Raises:
        DistributeError: When there is none.
    """
    if _BUILD.fullmatch(image):
        return image
    asked = _SHORT.fullmatch(image)
    if asked is None or image.startswith("arn:"):
        raise DistributeError(f"{image} names no build; give NAME, NAME/VERSION/BUILD or the ARN of a build version")
    wanted = "/".join(part for part in (normalized(asked["name"]), asked["version"], asked["build"]) if part)
    found = [
        summary
        for page in imagebuilder.get_paginator("list_image_build_versions").paginate()
        for summary in page["imageSummaryList"]
        if f"{summary['arn'].partition(':image/')[2]}/".startswith(f"{wanted}/")
        # The service chooses the name of an image resource that no recipe makes; its tag says whose it is.
        or (summary.get("tags") or {}).get(IMAGE_TAG) == wanted
    ]
    if not found:
        raise DistributeError(f"there is no build {wanted} in {imagebuilder.meta.region_name}")
    return str(max(found, key=lambda summary: (summary.get("dateCreated", ""), summary["arn"]))["arn"])


def regions_of(imagebuilder: Any, arn: str) -> tuple[str, ...]:
    """Return the Regions that a build brings AMIs to."""
    image = imagebuilder.get_image(imageBuildVersionArn=arn)["image"]
    targets = (image.get("distributionConfiguration") or {}).get("distributions") or ()
    return tuple(dict.fromkeys([imagebuilder.meta.region_name, *(target["region"] for target in targets)]))


def look(imagebuilder: Any, elsewhere: Sequence[RegionClients], arn: str) -> Progress:
    """Return how far a distribution is.

    Args:
        imagebuilder: Client of the Region of the image resource.
        elsewhere: Clients of the Regions that get AMIs, which are asked while the service does not tell of them.
        arn: The image resource.
    """
    image = imagebuilder.get_image(imageBuildVersionArn=arn)["image"]
    state = image["state"]
    told = [
        Copied(
            region=one["region"],
            account=one.get("accountId", ""),
            image_id=one.get("image", ""),
            state=(one.get("state") or {}).get("status", "").lower(),
            reason=(one.get("state") or {}).get("reason", ""),
        )
        for one in (image.get("outputResources") or {}).get("amis", ())
    ]
    if not told:
        told = [copied for clients in elsewhere for copied in _copies(clients, arn)]
    return Progress(image=arn, status=state["status"], reason=state.get("reason", ""), amis=tuple(told))


def follow(
    looked: Callable[[], Progress],
    tell: Callable[[Progress], object],
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> Progress:
    """Look until the distribution has settled, and tell of every look; return the last."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        progress = looked()
        tell(progress)
        if progress.settled:
            return progress
        sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def _status(imagebuilder: Any, arn: str) -> str | None:
    try:
        status: str = imagebuilder.get_image(imageBuildVersionArn=arn)["image"]["state"]["status"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return status


def _copies(clients: RegionClients, arn: str) -> list[Copied]:
    """Return the AMIs of a distribution in one Region of the account, as EC2 sees them."""
    filters = [{"Name": f"tag:{IMAGE_ARN_TAG}", "Values": [arn]}]
    found = []
    for image in clients.ec2.describe_images(Owners=["self"], Filters=filters)["Images"]:
        snapshots = [
            mapping["Ebs"]["SnapshotId"]
            for mapping in image.get("BlockDeviceMappings", ())
            if "SnapshotId" in mapping.get("Ebs", {})
        ]
        found.append(
            Copied(
                region=clients.region,
                account=image["OwnerId"],
                image_id=image["ImageId"],
                state=image["State"],
                progress=_progress(clients.ec2, snapshots),
            )
        )
    return found


def _progress(ec2: Any, snapshots: Sequence[str]) -> str:
    """Return how far the slowest of some snapshots is, such as ``40%``."""
    if not snapshots:
        return ""
    filters = [{"Name": "snapshot-id", "Values": list(snapshots)}]
    told = [one.get("Progress", "") for one in ec2.describe_snapshots(Filters=filters)["Snapshots"]]
    numbers = [int(found[1]) for one in told if (found := re.match(r"(\d+)", one))]
    return f"{min(numbers)}%" if numbers else ""
