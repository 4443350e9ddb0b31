"""What an app needs of the accounts that it is deployed to: templates in, plain needs out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from cdk_ami.runtime.preflight.templates import Stack

_CHANNEL_TYPE: Final = "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
_AT_LAUNCH: Final = "resolve:ssm:"
_DEFAULT_TYPES: Final = ("t3.micro",)


TARGET_ROLE: Final = "EC2ImageBuilderDistributionCrossAccountRole"
"""The role that a build takes to copy into an account.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html, read 2026-11-28"""


class RegionNeed(NamedTuple):
    """A Region that something is deployed or copied to."""

    account: str
    region: str

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.region


Tags = tuple[tuple[str, str], ...]
"""Keys and values."""


class KeyNeed(NamedTuple):
    """A key that encrypts AMIs, ``key`` None where nobody knows which before the deployment.

    ``made`` names the stack of the same app that makes it, ``users`` the accounts that have to be able to use it, and
    ``shared`` tells whether the snapshots go to other accounts.
    """

    account: str
    region: str
    key: str | None
    made: str
    users: tuple[str, ...]
    shared: bool

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.key or "a key"


class TargetRoleNeed(NamedTuple):
    """An account that receives copies, and what its role has to be able to do."""

    account: str
    region: str
    owner: str
    made: str
    parameters: tuple[tuple[str, str], ...]
    launch_templates: tuple[tuple[str, str, bool], ...]
    """Region, id, and whether the new version becomes the default one."""
    copies: tuple[tuple[str, Tags], ...]
    """Region, and the tags of a copy there, each pair of them once."""

    @property
    def subject(self) -> str:
        """What it is about."""
        return TARGET_ROLE


class ParameterNeed(NamedTuple):
    """A parameter that a build writes; ``role`` is the ARN of its execution role, ``role_made`` that of this app."""

    account: str
    region: str
    name: str
    data_type: str
    builder: str
    role: str | None
    role_made: bool

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.name


class LaunchTemplateNeed(NamedTuple):
    """A launch template that a build gives a version."""

    account: str
    region: str
    template_id: str
    foreign: bool

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.template_id


class Group(NamedTuple):
    """A security group of the same stack: whether HTTPS may leave it."""

    name: str
    lets_https_out: bool


class MadeNetwork(NamedTuple):
    """The subnet of a build that the same stack makes: where its default route leads, and which endpoints it has."""

    default_route: str
    public_addresses: bool
    endpoints: tuple[str, ...]


class NetworkNeed(NamedTuple):
    """Where a build runs: a subnet and its security groups, or the default VPC where ``subnet`` is empty."""

    account: str
    region: str
    image: str
    subnet: str
    groups: tuple[str, ...]
    made: MadeNetwork | None
    made_groups: tuple[Group, ...]
    unknown: str

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.subnet or ("the default VPC" if not self.unknown else "a subnet")


class ParentNeed(NamedTuple):
    """What a recipe starts from."""

    account: str
    region: str
    parent: str

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.parent


class QuotaNeed(NamedTuple):
    """How much a build does in one Region of one account: snapshots copied there, AMIs made, instances run."""

    account: str
    region: str
    snapshots: int
    amis: int
    instance_types: tuple[str, ...]

    @property
    def subject(self) -> str:
        """What it is about."""
        return "quotas"


class EncryptionNeed(NamedTuple):
    """A Region in which a recipe makes volumes, and whether it encrypts them by itself."""

    account: str
    region: str
    by_itself: bool

    @property
    def subject(self) -> str:
        """What it is about."""
        return "EBS encryption by default"


class ChannelNeed(NamedTuple):
    """A channel that a stack reads; ``writer`` is the stack of the app that writes it, ``built`` whether it builds."""

    account: str
    region: str
    name: str
    at_launch: bool
    writer: str
    built: bool

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.name


@dataclass(slots=True)
class Needs:
    """All that one app needs, each once, in the order of its stacks."""

    regions: list[RegionNeed] = field(default_factory=list)
    keys: list[KeyNeed] = field(default_factory=list)
    target_roles: list[TargetRoleNeed] = field(default_factory=list)
    parameters: list[ParameterNeed] = field(default_factory=list)
    launch_templates: list[LaunchTemplateNeed] = field(default_factory=list)
    networks: list[NetworkNeed] = field(default_factory=list)
    parents: list[ParentNeed] = field(default_factory=list)
    quotas: list[QuotaNeed] = field(default_factory=list)
    encryption: list[EncryptionNeed] = field(default_factory=list)
    channels: list[ChannelNeed] = field(default_factory=list)


class _Delivery(NamedTuple):
    """One target of one distribution of one stack, as it was resolved."""

    stack: Stack
    builder: str
    region: str
    accounts: tuple[str, ...]
    sharers: tuple[str, ...]
    shares: bool
    key: Any
    parameters: tuple[tuple[str, str, str], ...]
    launch_templates: tuple[tuple[str, str, bool], ...]
    volumes: int
    role: str | None
    role_made: bool
    tags: Tags


def plan(stacks: Sequence[Stack], *, account: str, region: str) -> Needs:
    """Return what ``stacks`` need; ``account`` and ``region`` stand in where a stack names none."""
    placed = [Stack(one.name, one.account or account, one.region or region, one.template) for one in stacks]
    deliveries = [delivery for stack in placed for delivery in _deliveries(stack)]
    return Needs(
        regions=_once(_regions(placed, deliveries)),
        keys=_once(_keys(placed, deliveries)),
        target_roles=list(_target_roles(placed, deliveries)),
        parameters=_once(_parameters(deliveries)),
        launch_templates=_once(_launch_templates(deliveries)),
        networks=_once(_networks(placed)),
        parents=_once(_parents(placed)),
        quotas=list(_quotas(placed, deliveries)),
        encryption=_once(_encryption(placed)),
        channels=_once(_channels(placed, deliveries)),
    )


def _once(found: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(found))


def _place(stack: Stack) -> tuple[str, str]:
    return str(stack.account), str(stack.region)


def _deliveries(stack: Stack) -> Iterator[_Delivery]:
    builder, own_region = _place(stack)
    volumes = max(
        (len(_mappings(found)) or 1 for _, found in stack.resources("AWS::ImageBuilder::ImageRecipe")), default=1
    )
    for logical_id, found in stack.resources("AWS::ImageBuilder::DistributionConfiguration"):
        role, role_made = _execution_role(stack, logical_id)
        for one in found.get("Distributions", []):
            ami = one.get("AmiDistributionConfiguration", {})
            permission = ami.get("LaunchPermissionConfiguration", {})
            yield _Delivery(
                stack,
                builder,
                stack.text(one.get("Region")) or own_region,
                tuple(account for account in stack.texts(ami.get("TargetAccountIds")) if account),
                tuple(one for one in stack.texts(permission.get("UserIds")) if one),
                bool(permission),
                ami.get("KmsKeyId"),
                tuple(
                    (
                        stack.text(written.get("AmiAccountId")) or builder,
                        str(stack.text(written.get("ParameterName"))),
                        stack.text(written.get("DataType")) or "text",
                    )
                    for written in one.get("SsmParameterConfigurations", [])
                ),
                tuple(
                    (
                        stack.text(written.get("AccountId")) or builder,
                        str(stack.text(written.get("LaunchTemplateId"))),
                        stack.text(written.get("SetDefaultVersion")) != "false",
                    )
                    for written in one.get("LaunchTemplateConfigurations", [])
                ),
                volumes,
                role,
                role_made,
                tuple((key, stack.text(value) or "") for key, value in sorted(ami.get("AmiTags", {}).items())),
            )


def _execution_role(stack: Stack, distribution: str) -> tuple[str | None, bool]:
    for _, found in stack.resources("AWS::ImageBuilder::ImagePipeline"):
        if stack.made(found.get("DistributionConfigurationArn")) == distribution and "ExecutionRole" in found:
            return stack.text(found["ExecutionRole"]), stack.made(found["ExecutionRole"]) is not None
    return None, False


def _mappings(recipe: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [found["Ebs"] for found in recipe.get("BlockDeviceMappings", []) if "Ebs" in found]


def _regions(stacks: Sequence[Stack], deliveries: Sequence[_Delivery]) -> Iterator[RegionNeed]:
    for stack in stacks:
        yield RegionNeed(*_place(stack))
    for one in deliveries:
        for account in (one.builder, *one.accounts):
            yield RegionNeed(account, one.region)


def _keys(stacks: Sequence[Stack], deliveries: Sequence[_Delivery]) -> Iterator[KeyNeed]:
    made = {
        (*_place(stack), stack.text(found.get("AliasName"))): stack.name
        for stack in stacks
        for _, found in stack.resources("AWS::KMS::Alias")
    }
    for stack in stacks:
        account, region = _place(stack)
        for _, recipe in stack.resources("AWS::ImageBuilder::ImageRecipe"):
            for disk in _mappings(recipe):
                if "KmsKeyId" in disk:
                    yield _key(stack, made, (account, region), disk["KmsKeyId"], users=(account,), shared=False)
    for one in deliveries:
        if one.key is not None:
            users = tuple(dict.fromkeys((one.builder, *one.accounts, *one.sharers)))
            shared = one.shares or bool(one.accounts)
            yield _key(one.stack, made, (one.builder, one.region), one.key, users=users, shared=shared)


def _key(
    stack: Stack,
    made: Mapping[tuple[str, str, str | None], str],
    place: tuple[str, str],
    value: Any,
    *,
    users: tuple[str, ...],
    shared: bool,
) -> KeyNeed:
    account, region = place
    key = stack.text(value)
    alias = key[key.index("alias/") :] if key and "alias/" in key else None
    owner = key.split(":")[4] if key and key.startswith("arn:") else account
    by = stack.name if stack.made(value) else made.get((owner, region, alias), "")
    return KeyNeed(owner, region, key, by, users, shared)


def _target_roles(stacks: Sequence[Stack], deliveries: Sequence[_Delivery]) -> Iterator[TargetRoleNeed]:
    made = {
        str(stack.account): stack.name
        for stack in stacks
        for _, found in stack.resources("AWS::IAM::Role")
        if stack.text(found.get("RoleName")) == TARGET_ROLE
    }
    for account, owner in _once((account, one.builder) for one in deliveries for account in one.accounts):
        if account == owner:
            continue
        mine = [one for one in deliveries if account in one.accounts and one.builder == owner]
        yield TargetRoleNeed(
            account,
            "",
            owner,
            made.get(account, ""),
            tuple(_once((one.region, name) for one in mine for who, name, _ in one.parameters if who == account)),
            tuple(
                _once((one.region, *found) for one in mine for who, *found in one.launch_templates if who == account)
            ),
            tuple(_once((one.region, one.tags) for one in mine)),
        )


def _parameters(deliveries: Sequence[_Delivery]) -> Iterator[ParameterNeed]:
    for one in deliveries:
        for account, name, data_type in one.parameters:
            yield ParameterNeed(account, one.region, name, data_type, one.builder, one.role, one.role_made)


def _launch_templates(deliveries: Sequence[_Delivery]) -> Iterator[LaunchTemplateNeed]:
    for one in deliveries:
        for account, template_id, _ in one.launch_templates:
            yield LaunchTemplateNeed(account, one.region, template_id, account != one.builder)


def _networks(stacks: Sequence[Stack]) -> Iterator[NetworkNeed]:
    for stack in stacks:
        account, region = _place(stack)
        for logical_id, found in stack.resources("AWS::ImageBuilder::InfrastructureConfiguration"):
            image = stack.text(found.get("Name")) or logical_id
            value = found.get("SubnetId")
            made = stack.made(value)
            subnet = made or stack.text(value) or ""
            groups = found.get("SecurityGroupIds", [])
            yield NetworkNeed(
                account,
                region,
                image,
                subnet,
                tuple(one for one in stack.texts(groups) if one),
                _made_network(stack, made) if made else None,
                tuple(_group(stack, name) for name in map(stack.made, groups) if name),
                "" if subnet or value is None else "the subnet is known to the deployment only",
            )


def _made_network(stack: Stack, subnet: str) -> MadeNetwork:
    properties = dict(stack.resources("AWS::EC2::Subnet")).get(subnet, {})
    tables = {
        stack.made(found.get("RouteTableId"))
        for _, found in stack.resources("AWS::EC2::SubnetRouteTableAssociation")
        if stack.made(found.get("SubnetId")) == subnet
    }
    ways = (
        "GatewayId",
        "NatGatewayId",
        "TransitGatewayId",
        "NetworkInterfaceId",
        "InstanceId",
        "VpcPeeringConnectionId",
    )
    routes = [
        (way, stack.made(found[way]) or stack.text(found[way]) or way)
        for _, found in stack.resources("AWS::EC2::Route")
        if stack.made(found.get("RouteTableId")) in tables and found.get("DestinationCidrBlock") == "0.0.0.0/0"
        for way in ways
        if way in found
    ]
    kinds = {name: resource["Type"] for name, resource in stack.template.get("Resources", {}).items()}
    leads = [
        "igw"
        if way == "GatewayId" and kinds.get(target, "AWS::EC2::InternetGateway").endswith("InternetGateway")
        else target
        for way, target in routes
    ]
    return MadeNetwork(
        leads[0] if leads else "",
        stack.text(properties.get("MapPublicIpOnLaunch")) == "true",
        tuple(sorted(_endpoints(stack, tables))),
    )


def _endpoints(stack: Stack, tables: set[str | None]) -> Iterator[str]:
    # An interface endpoint is reached from every subnet of its VPC, a gateway from those that route to it.
    for _, found in stack.resources("AWS::EC2::VPCEndpoint"):
        service = (stack.text(found.get("ServiceName")) or "").rpartition(".")[2]
        gateway = found.get("VpcEndpointType", "Gateway") == "Gateway"
        if not gateway or tables & set(map(stack.made, found.get("RouteTableIds", []))):
            yield service


def _group(stack: Stack, name: str) -> Group:
    properties = dict(stack.resources("AWS::EC2::SecurityGroup")).get(name, {})
    rules = properties.get("SecurityGroupEgress")
    apart = [
        found
        for _, found in stack.resources("AWS::EC2::SecurityGroupEgress")
        if stack.made(found.get("GroupId")) == name
    ]
    # A group that CloudFormation makes without any egress rule lets everything out.
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-securitygroup.html
    lets = rules is None and not apart
    return Group(name, lets or any(_lets_https(stack, rule) for rule in [*(rules or []), *apart]))


def _lets_https(stack: Stack, rule: Mapping[str, Any]) -> bool:
    protocol = stack.text(rule.get("IpProtocol"))
    first, last = (stack.text(rule.get(name)) for name in ("FromPort", "ToPort"))
    return protocol == "-1" or (protocol in {"tcp", "6"} and int(first or 0) <= 443 <= int(last or 65535))  # noqa: PLR2004 - HTTPS


def _parents(stacks: Sequence[Stack]) -> Iterator[ParentNeed]:
    for stack in stacks:
        for _, recipe in stack.resources("AWS::ImageBuilder::ImageRecipe"):
            parent = stack.text(recipe.get("ParentImage"))
            if parent:
                yield ParentNeed(*_place(stack), parent)


def _quotas(stacks: Sequence[Stack], deliveries: Sequence[_Delivery]) -> Iterator[QuotaNeed]:
    snapshots: dict[tuple[str, str], int] = {}
    amis: dict[tuple[str, str], int] = {}
    types: dict[tuple[str, str], list[str]] = {}
    for stack in stacks:
        for _, found in stack.resources("AWS::ImageBuilder::InfrastructureConfiguration"):
            chosen = [one for one in stack.texts(found.get("InstanceTypes")) if one] or list(_DEFAULT_TYPES)
            types.setdefault(_place(stack), []).extend(chosen)
    for one in deliveries:
        for account in (one.builder, *one.accounts):
            place = (account, one.region)
            amis[place] = amis.get(place, 0) + 1
            if account != one.builder or one.region != one.stack.region:
                snapshots[place] = snapshots.get(place, 0) + one.volumes
    for place in dict.fromkeys([*types, *amis]):
        yield QuotaNeed(*place, snapshots.get(place, 0), amis.get(place, 0), tuple(_once(types.get(place, []))))


def _encryption(stacks: Sequence[Stack]) -> Iterator[EncryptionNeed]:
    for stack in stacks:
        for _, recipe in stack.resources("AWS::ImageBuilder::ImageRecipe"):
            disks = _mappings(recipe)
            yield EncryptionNeed(
                *_place(stack), bool(disks) and all(stack.text(disk.get("Encrypted")) == "true" for disk in disks)
            )


def _channels(stacks: Sequence[Stack], deliveries: Sequence[_Delivery]) -> Iterator[ChannelNeed]:
    writers = {
        (account, one.region, name): (one.stack.name, bool(list(one.stack.resources("AWS::ImageBuilder::Image"))))
        for one in deliveries
        for account, name, _ in one.parameters
    }
    for stack in stacks:
        for name, at_launch in _read(stack):
            owner, plain = _owner(name, str(stack.account))
            writer, built = writers.get((owner, str(stack.region), plain), ("", False))
            yield ChannelNeed(*_place(stack), name, at_launch, writer, built)


def _read(stack: Stack) -> Iterator[tuple[str, bool]]:
    for declared in stack.template.get("Parameters", {}).values():
        if declared.get("Type") == _CHANNEL_TYPE and "Default" in declared:
            yield str(declared["Default"]), False
    for _, found in stack.resources("AWS::EC2::Instance", "AWS::EC2::LaunchTemplate"):
        image = stack.text(found.get("LaunchTemplateData", found).get("ImageId")) or ""
        if image.startswith(_AT_LAUNCH):
            yield image.removeprefix(_AT_LAUNCH), True


def _owner(name: str, account: str) -> tuple[str, str]:
    if not name.startswith("arn:"):
        return account, name
    parts = name.split(":", 5)
    return parts[4], f"/{parts[5].removeprefix('parameter/')}"
