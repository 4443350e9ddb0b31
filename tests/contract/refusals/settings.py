"""Bad inputs to the settings file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import aws_cdk as cdk

from cdk_ami.settings import Settings, load
from tests.contract.refusals.row import Row, written

FILE: Final = "cdk-ami.toml"
GOOD: Final = """\
[image]
name = "web"
region = "us-east-1"
source = "amazon-linux-2023"
copy_to = ["eu-west-1"]

[[fleet]]
region = "eu-west-1"
zones = ["eu-west-1a", "eu-west-1b"]
"""
VPC: Final = 'vpc_id = "vpc-0123456789abcdef0"\n'
COPIED: Final = 'keys = "own"\ncopy_to_accounts = ["210987654321"]\n'
SUBNET: Final = {"eu-west-1a": "subnet-0123456789abcdef0"}


def settings(old: str, new: str) -> Callable[[cdk.Stack], Settings]:
    """Return the call that loads the settings, in which ``new`` has taken the place of ``old``."""
    assert old in GOOD
    return lambda _: load(written(FILE, GOOD.replace(old, new, 1)))


def more(text: str) -> Callable[[cdk.Stack], Settings]:
    """Return the call that loads the settings with ``text`` at their end, in the table of the fleet."""
    return lambda _: load(written(FILE, GOOD + text))


ROWS: Final = (
    Row("the settings file does not exist", lambda _: load(Path(FILE)), FILE, "file", None, "write it"),
    Row(
        "the settings file is no TOML",
        settings("[image]", "[image"),
        FILE,
        "file",
        "Expected ']' at the end of a table declaration (at line 1, column 7)",
        "mend the place",
    ),
    Row(
        "a setting is none of the choices",
        settings("amazon-linux-2023", "amazon-linux-3"),
        FILE,
        "image.source",
        "amazon-linux-3",
        "amazon-linux-2023",
    ),
    Row(
        "an image under the default keys is to be shared",
        settings("[[fleet]]", '[image.share]\naccounts = ["210987654321"]\n\n[[fleet]]'),
        FILE,
        "image.keys",
        "default",
        'keys = "own"',
    ),
    Row("a setting is missing", settings('name = "web"\n', ""), FILE, "image.name", None, "add name"),
    Row(
        "a setting is unknown",
        settings("[image]", '[image]\ncolour = "red"'),
        FILE,
        "image.colour",
        "red",
        "mend its spelling",
    ),
    Row("a setting has the wrong type", more('size = "two"'), FILE, "fleet[0].size", "two", "a whole number"),
    Row(
        "a copy goes to the Region that builds",
        settings('["eu-west-1"]', '["eu-west-1", "us-east-1"]'),
        FILE,
        "image.copy_to",
        "us-east-1",
        "in region alone",
    ),
    Row(
        "two fleets of a Region have one name",
        more('[[fleet]]\nregion = "eu-west-1"\nzones = ["eu-west-1c"]\n'),
        FILE,
        "fleet[1].name",
        "web",
        "give it a name",
    ),
    Row(
        "a fleet runs where the image does not go",
        settings('copy_to = ["eu-west-1"]', ""),
        FILE,
        "fleet[0].region",
        "eu-west-1",
        "to image.copy_to",
    ),
    Row("a VPC is named without its subnets", more(VPC), FILE, "fleet[0].subnets", {}, "give both"),
    Row(
        "a zone of the fleet has no subnet",
        more(f'{VPC}subnets = {{ eu-west-1a = "{SUBNET["eu-west-1a"]}" }}\n'),
        FILE,
        "fleet[0].subnets",
        SUBNET,
        "name ('eu-west-1a', 'eu-west-1b')",
    ),
    Row(
        "accounts receive copies of nobody knows which account",
        settings("[image]", f'side = "receive"\n[image]\n{COPIED}'),
        FILE,
        "account",
        None,
        "write the account that builds",
    ),
    Row(
        "the receiving side is deployed where nobody receives",
        settings("[image]", 'account = "123456789012"\nside = "receive"\n[image]'),
        FILE,
        "side",
        "receive",
        "name accounts in image.copy_to_accounts",
    ),
)
