"""Rules over names: resources, AMIs, parameters, tags, Regions, accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from cdk_ami.checks.regions import PARTITION_OF
from cdk_ami.checks.rule import Problem, rule
from cdk_ami.limits import (
    ACCOUNT_ID,
    AMI_NAME,
    AMI_NAME_MAX,
    AMI_NAME_MIN,
    AMI_TAGS_MAX,
    BUILD_DATE,
    PARAMETER_DEPTH_MAX,
    PARAMETER_NAME,
    PARAMETER_NAME_MAX,
    RESERVED_RESOURCE_TAGS,
    RESERVED_TAG_PREFIX,
    RESOURCE_NAME,
    RESOURCE_TAGS_MAX,
    TAG_KEY,
    TAG_KEY_MAX,
    TAG_VALUE_MAX,
)

IB: Final = "https://docs.aws.amazon.com/imagebuilder/latest/APIReference/"
_SSM: Final = "https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html"
_TAGS: Final = "https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html"
# The build date in any spacing: the service accepts the expression with and without blanks.
_BUILD_DATE: Final = r"\{\{\s*imagebuilder:buildDate\s*\}\}"


@rule("ResourceName", source=f"{IB}API_CreateImageRecipe.html")
def resource_name(name: str) -> Iterator[Problem]:
    """A name of an Image Builder resource has 3 to 128 letters, digits, blanks, hyphens and underscores."""
    if not re.fullmatch(RESOURCE_NAME, name):
        yield Problem(
            problem="is no name of an Image Builder resource",
            got=name,
            fix="use 3 to 128 letters, digits, blanks, hyphens and underscores, with no blank at either end",
        )


@rule("AmiName", source=f"{IB}API_AmiDistributionConfiguration.html")
def ami_name(name: str) -> Iterator[Problem]:
    """A name of an output AMI has 3 to 127 characters of a small set."""
    if not AMI_NAME_MIN <= len(name) <= AMI_NAME_MAX:
        yield Problem(
            problem=f"has {len(name)} characters",
            got=name,
            fix=f"use {AMI_NAME_MIN} to {AMI_NAME_MAX} characters",
        )
    elif not re.fullmatch(AMI_NAME, name):
        yield Problem(
            problem="holds characters that an AMI name of Image Builder may not hold",
            got=name,
            fix="use letters, digits, blanks and -_.:{} only, with a letter, digit, -, _ or brace at both ends",
        )


@rule("AmiNameBuildDate", source=f"{IB}API_AmiDistributionConfiguration.html")
def ami_name_build_date(name: str) -> Iterator[Problem]:
    """A name of an output AMI holds the build date, or the second build collides with the first."""
    if not re.search(_BUILD_DATE, name):
        yield Problem(problem="lacks the build date", got=name, fix=f"add {BUILD_DATE!r} to the name")


@rule("ParameterName", source=_SSM)
def parameter_name(name: str) -> Iterator[Problem]:
    """A name of an SSM parameter is a path of letters, digits and _.- that does not begin with aws or ssm."""
    if not re.fullmatch(PARAMETER_NAME, name):
        yield Problem(
            problem="is no name of an SSM parameter",
            got=name,
            fix="use letters, digits and the characters _.-/ only",
        )
        return
    if len(name) > PARAMETER_NAME_MAX:
        yield Problem(
            problem=f"has {len(name)} characters", got=name, fix=f"use at most {PARAMETER_NAME_MAX} characters"
        )
    if "/" in name and not name.startswith("/"):
        yield Problem(problem="is a path without a leading slash", got=name, fix=f"write {'/' + name!r}")
    if name.endswith("/") or "//" in name:
        yield Problem(problem="holds an empty part", got=name, fix="put a name between and after the slashes")
    if name.strip("/").count("/") >= PARAMETER_DEPTH_MAX:
        yield Problem(problem="is too deep", got=name, fix=f"use at most {PARAMETER_DEPTH_MAX} levels")


@rule("OwnParameterName", source=_SSM)
def own_parameter_name(name: str) -> Iterator[Problem]:
    """A parameter that a stack or a build writes does not begin with aws or ssm, which are AWS's own."""
    if name.lstrip("/").lower().startswith(("aws", "ssm")):
        yield Problem(
            problem="begins with a prefix that only AWS may write",
            got=name,
            fix="begin with another word than aws or ssm, such as /imagebuilder/",
        )


@rule("Tags", source=_TAGS)
def tags(values: Mapping[str, str]) -> Iterator[Problem]:
    """Tag keys have 1 to 128 characters and no aws: prefix, values at most 256, and there are at most 50."""
    yield from _tags(values, limit=AMI_TAGS_MAX)


@rule("ResourceTags", source=f"{IB}API_CreateInfrastructureConfiguration.html")
def resource_tags(values: Mapping[str, str]) -> Iterator[Problem]:
    """Tags of build resources are tags, at most 30, and leave the service's own keys alone."""
    yield from _tags(values, limit=RESOURCE_TAGS_MAX)
    for key in values:
        if key in RESERVED_RESOURCE_TAGS:
            yield Problem(
                problem="is a tag key that Image Builder writes itself",
                got=key,
                fix=f"choose another key than {', '.join(sorted(RESERVED_RESOURCE_TAGS))}",
                at=f"[{key!r}]",
            )


def _tags(values: Mapping[str, str], *, limit: int) -> Iterator[Problem]:
    if len(values) > limit:
        yield Problem(problem=f"holds {len(values)} tags", got=len(values), fix=f"keep at most {limit}")
    for key, value in values.items():
        at = f"[{key!r}]"
        if not isinstance(key, str) or not isinstance(value, str):
            yield Problem(problem="is no pair of strings", got=(key, value), fix="write both as strings", at=at)
        elif key.lower().startswith(RESERVED_TAG_PREFIX):
            yield Problem(
                problem=f"begins with {RESERVED_TAG_PREFIX}, which only AWS may write",
                got=key,
                fix="choose another prefix",
                at=at,
            )
        elif not re.fullmatch(TAG_KEY, key) or len(key) > TAG_KEY_MAX:
            yield Problem(
                problem="is no tag key",
                got=key,
                fix=f"use 1 to {TAG_KEY_MAX} letters, digits, blanks and the characters _.:/=+-@",
                at=at,
            )
        elif len(value) > TAG_VALUE_MAX:
            yield Problem(
                problem=f"has a value of {len(value)} characters",
                got=value,
                fix=f"keep it within {TAG_VALUE_MAX}",
                at=at,
            )


@rule("Region", source="https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html")
def region(code: str) -> Iterator[Problem]:
    """A Region code is one that AWS has."""
    if code not in PARTITION_OF:
        near = get_close_matches(code, PARTITION_OF, n=1)
        fix = f"did you mean {near[0]!r}?" if near else "use a Region code such as 'eu-west-1'"
        yield Problem(problem="is no AWS Region", got=code, fix=fix)


@rule("RegionsOnce", source=f"{IB}API_Distribution.html")
def regions_once(codes: Sequence[str]) -> Iterator[Problem]:
    """A list of Regions names each Region once."""
    for index, code in enumerate(codes):
        if code in codes[:index]:
            yield Problem(problem="names a Region twice", got=code, fix="merge the two", at=f"[{index}]")


@rule("OnePartition", source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CopyImage.html")
def one_partition(codes: Sequence[str]) -> Iterator[Problem]:
    """AMIs are not copied from one partition to another."""
    known = [code for code in codes if code in PARTITION_OF]
    strangers = [code for code in known if PARTITION_OF[code] != PARTITION_OF[known[0]]]
    if strangers:
        yield Problem(
            problem=f"mixes the partitions {PARTITION_OF[known[0]]} and {PARTITION_OF[strangers[0]]}",
            got=[known[0], *strangers],
            fix="build once in each partition: AMIs are not copied between them",
        )


@rule("AccountId", source="https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html")
def account_id(account: str) -> Iterator[Problem]:
    """An account id is a string of twelve digits."""
    if not isinstance(account, str) or not re.fullmatch(ACCOUNT_ID, account):
        fix = "write it as a string, so that leading zeros stay" if isinstance(account, int) else "use twelve digits"
        yield Problem(problem="is no AWS account id", got=account, fix=fix)
