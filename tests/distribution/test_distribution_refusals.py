"""What a distribution refuses, told as a table: each row breaks one rule."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from aws_cdk import Stack

from cdk_ami.distribution.distribution import Distribution
from cdk_ami.distribution.launch_permission import LaunchPermission
from cdk_ami.distribution.target import LaunchTemplateUpdate, Target
from cdk_ami.errors import ConfigError
from tests.support.synth import make_stack

ACCOUNT = "210987654321"
ORGANIZATION = "arn:aws:organizations::123456789012:organization/o-a1b2c3d4e5"
UNIT = "arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-c3d4e5f6"
DATE = "{{ imagebuilder:buildDate }}"
HERE = "us-east-1"


def to(*targets: Target, entry_channel: str = "latest") -> Distribution:
    return Distribution(targets=targets, entry_channel=entry_channel)


def permit(accounts: Sequence[str] = (), organizations: Sequence[str] = (), units: Sequence[str] = ()) -> Distribution:
    permission = LaunchPermission(accounts=accounts, organizations=organizations, organizational_units=units)
    return to(Target(region=HERE, launch_permission=permission))


def update(*template_ids: str, account: str | None = None) -> Distribution:
    updates = [
        LaunchTemplateUpdate(launch_template_id=template_id, set_default_version=False, account=account)
        for template_id in template_ids
    ]
    return to(Target(region=HERE, launch_templates=updates))


def keyed(key: str, *, accounts: Sequence[str] = (), public: bool = False) -> Distribution:
    permission = LaunchPermission(public=True) if public else None
    return to(Target(region=HERE, kms_key=key, accounts=accounts, launch_permission=permission))


# What is given, the property that the error names, the value it shows, and a piece of the fix.
REFUSED: list[tuple[str, Distribution, str, object, str]] = [
    ("no target", to(), "targets", [], "Region of the build"),
    ("a Region twice", Distribution.to_regions(HERE, HERE), "targets[1]", HERE, "merge the two"),
    ("an unknown Region", Distribution.to_regions("us-east1"), "targets[0].region", "us-east1", "'us-east-1'"),
    (
        "two partitions",
        Distribution.to_regions(HERE, "cn-north-1"),
        "targets",
        [HERE, "cn-north-1"],
        "build once in each partition",
    ),
    (
        "an AMI name without the build date",
        to(Target(region=HERE, ami_name="web")),
        "targets[0].ami_name",
        "web",
        DATE,
    ),
    (
        "an AMI name with a slash",
        to(Target(region=HERE, ami_name=f"web/{DATE}")),
        "targets[0].ami_name",
        f"web/{DATE}",
        "letters, digits",
    ),
    ("an empty description", to(Target(region=HERE, description="")), "targets[0].description", "", "or None"),
    (
        "a tag that AWS owns",
        to(Target(region=HERE, tags={"aws:x": "y"})),
        "targets[0].tags['aws:x']",
        "aws:x",
        "another prefix",
    ),
    (
        "an account of eleven digits",
        to(Target(region=HERE, accounts=["12345678901"], kms_key="alias/golden")),
        "targets[0].accounts[0]",
        "12345678901",
        "twelve digits",
    ),
    (
        "an account twice",
        to(Target(region=HERE, accounts=[ACCOUNT, ACCOUNT])),
        "targets[0].accounts[1]",
        ACCOUNT,
        "drop one",
    ),
    (
        "too many accounts",
        to(Target(region=HERE, accounts=[f"{number:012}" for number in range(1_537)])),
        "targets[0].accounts",
        1_537,
        "organization",
    ),
    ("a permission for nobody", permit(), "targets[0].launch_permission", 0, "leave it out"),
    (
        "a permission for no account",
        permit(accounts=["web"]),
        "targets[0].launch_permission.accounts[0]",
        "web",
        "twelve digits",
    ),
    (
        "an organization by its id",
        permit(organizations=["o-a1b2c3d4e5"]),
        "targets[0].launch_permission.organizations[0]",
        "o-a1b2c3d4e5",
        "arn:aws:organizations::",
    ),
    (
        "a unit where an organization belongs",
        permit(organizations=[UNIT]),
        "targets[0].launch_permission.organizations[0]",
        UNIT,
        ":organization/o-",
    ),
    (
        "an organization where a unit belongs",
        permit(units=[ORGANIZATION]),
        "targets[0].launch_permission.organizational_units[0]",
        ORGANIZATION,
        ":ou/o-",
    ),
    (
        "too many units",
        permit(units=[f"{UNIT}{number}" for number in range(26)]),
        "targets[0].launch_permission.organizational_units",
        26,
        "at most 25",
    ),
    ("no key at all", keyed("golden"), "targets[0].kms_key", "golden", "'alias/NAME'"),
    (
        "a key of another Region",
        keyed("arn:aws:kms:eu-west-1:123456789012:alias/golden"),
        "targets[0].kms_key",
        "arn:aws:kms:eu-west-1:123456789012:alias/golden",
        "a key of us-east-1",
    ),
    (
        "the managed key with a copy for another account",
        keyed("alias/aws/ebs", accounts=[ACCOUNT]),
        "targets[0].kms_key",
        "alias/aws/ebs",
        "customer managed key",
    ),
    (
        "a key for a public image",
        keyed("alias/golden", public=True),
        "targets[0].kms_key",
        "alias/golden",
        "drop the key",
    ),
    (
        "a launch template by name",
        update("web-servers"),
        "targets[0].launch_templates[0].launch_template_id",
        "web-servers",
        "lt-0123456789abcdef0",
    ),
    (
        "a launch template twice",
        update("lt-0123456789abcdef0", "lt-0123456789abcdef0"),
        "targets[0].launch_templates[1]",
        "lt-0123456789abcdef0",
        "drop one",
    ),
    (
        "too many launch templates",
        update(*(f"lt-{number:017}" for number in range(101))),
        "targets[0].launch_templates",
        101,
        "at most 100",
    ),
    (
        "a launch template of an account without a copy",
        update("lt-0123456789abcdef0", account=ACCOUNT),
        "targets[0].launch_templates[0].account",
        ACCOUNT,
        "add it to the accounts",
    ),
    (
        "an entry channel with a slash",
        to(Target(region=HERE), entry_channel="web/latest"),
        "entry_channel",
        "web/latest",
        "letters, digits",
    ),
    (
        "a further channel with a blank",
        to(Target(region=HERE, channels=["to test"])),
        "targets[0].channels[0]",
        "to test",
        "letters, digits",
    ),
    (
        "the entry channel once more",
        to(Target(region=HERE, channels=["latest"])),
        "targets[0].channels[0]",
        "latest",
        "every target writes the entry channel",
    ),
]


@pytest.fixture(scope="module")
def stack() -> Stack:
    """A stack for all refusals: what is refused leaves nothing behind."""
    return make_stack()


@pytest.mark.parametrize(
    ("distribution", "prop", "got", "fix"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_distribution_refuses(stack: Stack, distribution: Distribution, prop: str, got: object, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        distribution.render(stack, "Distribution", name="web")

    assert (caught.value.where, caught.value.prop, caught.value.got) == ("S/Distribution", prop, got)
    assert fix in caught.value.fix
    assert len(caught.value.faults) == 1
    assert stack.node.try_find_child("Distribution") is None


def test_the_name_of_the_image_must_be_one() -> None:
    with pytest.raises(ConfigError) as caught:
        Distribution.to_regions(HERE).render(make_stack(), "Distribution", name="web/server")

    assert ("name", "web/server") in [(fault.prop, fault.got) for fault in caught.value.faults]


def test_all_faults_of_a_distribution_are_told_at_once() -> None:
    distribution = to(Target(region="mars-1", ami_name="web"), Target(region=HERE, kms_key="golden"))

    with pytest.raises(ConfigError) as caught:
        distribution.render(make_stack(), "Distribution", name="web")

    assert [fault.prop for fault in caught.value.faults] == [
        "targets[0].region",
        "targets[0].ami_name",
        "targets[1].kms_key",
    ]


@pytest.mark.parametrize(
    "key",
    [
        "arn:aws:kms:us-east-1:123456789012:key/mrk-00112233445566778899aabbccddeeff",
        "arn:aws:kms:us-east-1:210987654321:alias/golden",
        "11112222-3333-4444-5555-666677778888",
        "alias/golden",
    ],
)
def test_a_key_may_be_named_in_each_way_that_the_service_takes(key: str) -> None:
    stack = make_stack()

    keyed(key, accounts=[ACCOUNT]).render(stack, "Distribution", name="web")

    assert stack.node.try_find_child("Distribution") is not None


def test_the_managed_key_will_do_where_nobody_else_uses_the_image() -> None:
    stack = make_stack()

    keyed("alias/aws/ebs").render(stack, "Distribution", name="web")

    assert stack.node.try_find_child("Distribution") is not None
