"""What a distribution refuses before anything is deployed: a table to read, in which each row breaks another rule.

Each row is given to a golden image that is good but for it.  The error names the construct, ``S/Web``, the property
that the row names, the value that it shows, and what to do.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import aws_cdk as cdk
import pytest

from cdk_ami import (
    ConfigError,
    Distribution,
    FastLaunch,
    GoldenImage,
    LaunchPermission,
    LaunchTemplateUpdate,
    SourceImage,
    Target,
    Volume,
)
from tests.support.synth import make_stack

ACCOUNT: Final = "210987654321"
ORGANIZATION: Final = "arn:aws:organizations::123456789012:organization/o-a1b2c3d4e5"
UNIT: Final = "arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-c3d4e5f6"
LICENSE: Final = (
    "arn:aws:license-manager:us-east-1:123456789012:license-configuration:lic-0123456789abcdef0123456789abcdef"
)
TEMPLATE: Final = "lt-0123456789abcdef0"
KEY: Final = "arn:aws:kms:us-east-1:123456789012:alias/golden"
KEY_THERE: Final = "arn:aws:kms:eu-west-1:123456789012:alias/golden"
DATE: Final = "{{ imagebuilder:buildDate }}"
HERE: Final = "us-east-1"
THERE: Final = "eu-west-1"
AT: Final = "distribution.targets[0]"


@dataclass(frozen=True, slots=True)
class Row:
    """One bad input.

    Attributes:
        says: What is wrong.
        given: The distribution.
        prop: The property that the error names.
        got: The value that it shows.
        fix: A piece of the fix.
        image: Other options of the image.
    """

    says: str
    given: Distribution
    prop: str
    got: object
    fix: str
    image: dict[str, Any] = field(default_factory=dict)


def to(**options: Any) -> Distribution:
    """Return a distribution to the Region of the build."""
    return Distribution(targets=[Target(region=HERE, **options)])


def permit(**options: Any) -> Distribution:
    """Return one that permits launches, under a key."""
    return to(launch_permission=LaunchPermission(**options), kms_key=KEY)


def update(*template_ids: str, account: str | None = None) -> Distribution:
    """Return one that updates launch templates."""
    updates = [
        LaunchTemplateUpdate(launch_template_id=one, set_default_version=False, account=account) for one in template_ids
    ]
    return to(launch_templates=updates)


PUBLIC: Final = LaunchPermission(public=True)
WINDOWS: Final = {"source": SourceImage.windows_server(version="2025")}
PLAIN: Final = {"volumes": [Volume(encrypted=False)]}

TABLE: Final = (
    # --- Regions
    Row("no target at all", Distribution(targets=[]), "distribution.targets", [], "Region of the build"),
    Row("a Region twice", Distribution.to_regions(HERE, HERE), "distribution.targets[1]", HERE, "merge the two"),
    Row("a Region misspelt", Distribution.to_regions("us-east1"), f"{AT}.region", "us-east1", "'us-east-1'"),
    Row(
        "Regions of two partitions",
        Distribution.to_regions(HERE, "cn-north-1"),
        "distribution.targets",
        [HERE, "cn-north-1"],
        "build once in each partition",
    ),
    # --- names, descriptions, tags
    Row("an AMI's name without the build date", to(ami_name="web"), f"{AT}.ami_name", "web", DATE),
    Row("an AMI's name with a slash", to(ami_name=f"a/{DATE}"), f"{AT}.ami_name", f"a/{DATE}", "letters, digits"),
    Row(
        "an AMI's name longer than EC2 takes",
        to(ami_name=f"{DATE}{'a' * 100}"),
        f"{AT}.ami_name",
        f"{DATE}{'a' * 100}",
        "3 to 127",
    ),
    Row("an empty description", to(description=""), f"{AT}.description", "", "or None"),
    Row("a tag of AWS's", to(tags={"aws:x": "y"}), f"{AT}.tags['aws:x']", "aws:x", "another prefix"),
    Row("a tag key with a comma", to(tags={"a,b": "y"}), f"{AT}.tags['a,b']", "a,b", "letters, digits"),
    Row("a tag too long", to(tags={"a": "y" * 257}), f"{AT}.tags['a']", "y" * 257, "within 256"),
    Row("fifty tags besides the image's own", to(tags={f"a{n}": "" for n in range(50)}), f"{AT}.tags", 51, "most 50"),
    # --- accounts
    Row(
        "an account of eleven digits",
        to(accounts=["12345678901"], kms_key=KEY),
        f"{AT}.accounts[0]",
        "12345678901",
        "twelve digits",
    ),
    Row("an account twice", to(accounts=[ACCOUNT, ACCOUNT], kms_key=KEY), f"{AT}.accounts[1]", ACCOUNT, "drop one"),
    Row(
        "more accounts than the service takes",
        to(accounts=[f"{number:012}" for number in range(1_537)], kms_key=KEY),
        f"{AT}.accounts",
        1_537,
        "organization",
    ),
    # --- launch permissions
    Row("a permission for nobody", permit(), f"{AT}.launch_permission", 0, "leave it out"),
    Row(
        "a permission for a name",
        permit(accounts=["web"]),
        f"{AT}.launch_permission.accounts[0]",
        "web",
        "twelve digits",
    ),
    Row(
        "an organization by its id",
        permit(organizations=["o-a1b2c3d4e5"]),
        f"{AT}.launch_permission.organizations[0]",
        "o-a1b2c3d4e5",
        "arn:aws:organizations::",
    ),
    Row(
        "an organization twice",
        permit(organizations=[ORGANIZATION, ORGANIZATION]),
        f"{AT}.launch_permission.organizations[1]",
        ORGANIZATION,
        "drop one",
    ),
    Row(
        "an organization where a unit belongs",
        permit(organizational_units=[ORGANIZATION]),
        f"{AT}.launch_permission.organizational_units[0]",
        ORGANIZATION,
        ":ou/o-",
    ),
    Row(
        "more units than the service takes",
        permit(organizational_units=[f"{UNIT}{number}" for number in range(26)]),
        f"{AT}.launch_permission.organizational_units",
        26,
        "at most 25",
    ),
    Row(
        "a public AMI with the default volume", to(launch_permission=PUBLIC), "volumes", "encrypted", "encrypted=False"
    ),
    Row(
        "a public AMI under a key",
        to(launch_permission=PUBLIC, kms_key=KEY),
        f"{AT}.kms_key",
        KEY,
        "drop the key",
        image=PLAIN,
    ),
    # --- keys
    Row("something that is no key", to(kms_key="golden"), f"{AT}.kms_key", "golden", "'alias/NAME'"),
    Row("a key of another Region", to(kms_key=KEY_THERE), f"{AT}.kms_key", KEY_THERE, "a key of us-east-1"),
    Row(
        "AWS's key for other accounts",
        to(kms_key="alias/aws/ebs", accounts=[ACCOUNT]),
        f"{AT}.kms_key",
        "alias/aws/ebs",
        "customer managed key",
    ),
    Row("no key for other accounts", to(accounts=[ACCOUNT]), f"{AT}.kms_key", None, '{"Sid":"Copy","Effect":"Allow"'),
    Row(
        "no key where the copies come from",
        Distribution(targets=[Target(region=THERE, accounts=[ACCOUNT], kms_key=KEY_THERE)]),
        "volumes",
        None,
        "name a customer managed key of us-east-1",
    ),
    Row(
        "AWS's key where the copies come from",
        Distribution(targets=[Target(region=THERE, accounts=[ACCOUNT], kms_key=KEY_THERE)]),
        "volumes",
        "alias/aws/ebs",
        "customer managed key",
        image={"volumes": [Volume(kms_key="alias/aws/ebs")]},
    ),
    Row(
        "keys that forget a Region",
        Distribution.to_regions(HERE, THERE, kms_keys={HERE: KEY}),
        "distribution.kms_keys",
        [HERE],
        "a key of each Region",
    ),
    Row(
        "a key for a Region that receives nothing",
        Distribution.to_regions(HERE, kms_keys={HERE: KEY, THERE: KEY_THERE}),
        f"distribution.kms_keys['{THERE}']",
        THERE,
        "add a target",
    ),
    # --- launch templates
    Row("a template by name", update("web"), f"{AT}.launch_templates[0].launch_template_id", "web", TEMPLATE),
    Row("a template twice", update(TEMPLATE, TEMPLATE), f"{AT}.launch_templates[1]", TEMPLATE, "drop one"),
    Row(
        "more templates than the service takes",
        update(*(f"lt-{number:017}" for number in range(101))),
        f"{AT}.launch_templates",
        101,
        "at most 100",
    ),
    Row(
        "a template of an account that gets no copy",
        update(TEMPLATE, account=ACCOUNT),
        f"{AT}.launch_templates[0].account",
        ACCOUNT,
        "add it to the accounts",
    ),
    # --- channels
    Row(
        "an entry channel with a slash",
        Distribution.to_regions(HERE, entry_channel="web/latest"),
        "distribution.entry_channel",
        "web/latest",
        "letters, digits",
    ),
    Row("a channel with a blank", to(channels=["to test"]), f"{AT}.channels[0]", "to test", "letters, digits"),
    Row("the entry channel again", to(channels=["latest"]), f"{AT}.channels[0]", "latest", "every target writes"),
    Row("a channel twice", to(channels=["test", "test"]), f"{AT}.channels[1]", "test", "drop one"),
    Row(
        "a list of channels that only the deployment knows",
        to(channels=cdk.Fn.split(",", cdk.Fn.import_value("Elsewhere"))),
        f"{AT}.channels",
        "a token",
        "one by one",
    ),
    # --- fast launch
    Row("fast launch of Linux", to(fast_launches=[FastLaunch()]), f"{AT}.fast_launches", "Linux", "drop it"),
    Row(
        "fast launch prepared one by one",
        to(fast_launches=[FastLaunch(parallel_launches=1)]),
        f"{AT}.fast_launches[0].parallel_launches",
        1,
        "6 or more",
        image=WINDOWS,
    ),
    Row(
        "fast launch without snapshots",
        to(fast_launches=[FastLaunch(snapshots=0)]),
        f"{AT}.fast_launches[0].snapshots",
        0,
        "1 to 10,000",
        image=WINDOWS,
    ),
    Row(
        "fast launch by a template without its version",
        to(fast_launches=[FastLaunch(launch_template_id=TEMPLATE)]),
        f"{AT}.fast_launches[0].launch_template_version",
        None,
        "give both",
        image=WINDOWS,
    ),
    Row(
        "fast launch by the name of a template",
        to(fast_launches=[FastLaunch(launch_template_id="web", launch_template_version="1")]),
        f"{AT}.fast_launches[0].launch_template_id",
        "web",
        TEMPLATE,
        image=WINDOWS,
    ),
    Row(
        "fast launch twice in an account",
        to(fast_launches=[FastLaunch(), FastLaunch(snapshots=9)]),
        f"{AT}.fast_launches[1]",
        "the build's account",
        "drop one",
        image=WINDOWS,
    ),
    Row(
        "fast launch in an account that gets no copy",
        to(fast_launches=[FastLaunch(account=ACCOUNT)]),
        f"{AT}.fast_launches[0].account",
        ACCOUNT,
        "add it to the accounts",
        image=WINDOWS,
    ),
    # --- licenses
    Row(
        "a license by its id", to(license_configurations=["lic-0"]), f"{AT}.license_configurations[0]", "lic-0", "copy"
    ),
    Row(
        "a license of another Region",
        to(license_configurations=[LICENSE.replace(HERE, THERE)]),
        f"{AT}.license_configurations[0]",
        LICENSE.replace(HERE, THERE),
        "name one of us-east-1",
    ),
    Row(
        "a license twice",
        to(license_configurations=[LICENSE, LICENSE]),
        f"{AT}.license_configurations[1]",
        LICENSE,
        "drop one",
    ),
    Row(
        "more licenses than the service takes",
        to(license_configurations=[f"{LICENSE[:-2]}{number:02}" for number in range(51)]),
        f"{AT}.license_configurations",
        51,
        "at most 50",
    ),
)


@pytest.fixture(scope="module")
def stack() -> cdk.Stack:
    """A stack for all refusals: what is refused leaves nothing behind."""
    return make_stack()


def refused(stack: cdk.Stack, row: Row) -> ConfigError:
    given: dict[str, Any] = {"name": "web", "source": SourceImage.amazon_linux_2023()} | row.image
    with pytest.raises(ConfigError) as caught:
        GoldenImage(stack, "Web", distribution=row.given, **given)
    return caught.value


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.says)
def test_a_distribution_refuses(stack: cdk.Stack, row: Row) -> None:
    error = refused(stack, row)

    assert (error.where, error.prop, error.got) == ("S/Web", row.prop, row.got)
    assert row.fix in error.fix
    assert len(error.faults) == 1
    assert stack.node.try_find_child("Web") is None


def test_each_row_breaks_another_rule_and_there_are_forty_at_least(stack: cdk.Stack) -> None:
    faults = [refused(stack, row).faults[0] for row in TABLE]

    broken = Counter(tuple(re.sub(r"\d+", "N", text) for text in (fault.prop, fault.problem)) for fault in faults)

    assert [rule for rule, count in broken.items() if count > 1] == []
    assert len({fault.rule for fault in faults if fault.rule}) >= 33
    assert len(broken) >= 50


def test_the_name_of_the_image_must_be_one(stack: cdk.Stack) -> None:
    with pytest.raises(ConfigError) as caught:
        Distribution.to_regions(HERE).render(stack, "Distribution", name="web/server")

    assert ("S/Distribution", "name", "web/server") in [
        (caught.value.where, fault.prop, fault.got) for fault in caught.value.faults
    ]


def test_all_faults_of_a_distribution_are_told_at_once(stack: cdk.Stack) -> None:
    targets = [Target(region="mars-1", ami_name="web"), Target(region=HERE, kms_key="golden")]

    error = refused(stack, Row("", Distribution(targets=targets), "", "", ""))

    assert [fault.prop for fault in error.faults] == [
        "distribution.targets[0].region",
        "distribution.targets[0].ami_name",
        "distribution.targets[1].kms_key",
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

    to(kms_key=key, accounts=[ACCOUNT]).render(stack, "Distribution", name="web")

    assert stack.node.try_find_child("Distribution") is not None


def test_the_managed_key_will_do_where_nobody_else_uses_the_image() -> None:
    stack = make_stack()

    to(kms_key="alias/aws/ebs").render(stack, "Distribution", name="web")

    assert stack.node.try_find_child("Distribution") is not None
