from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk_ami.errors import ConfigError, Fault
from cdk_ami.settings import load, parse
from tests.support.synth import ROOT

HERE = Path("/somewhere")


def settings_with(**changes: Any) -> dict[str, Any]:
    image = {"name": "web", "region": "us-east-1", "source": "amazon-linux-2023", "copy_to": ["eu-west-1"]}
    fleet = {"region": "eu-west-1", "zones": ["eu-west-1a", "eu-west-1b"]}
    return {
        "image": image | changes.get("image", {}),
        "fleet": [fleet | changes.get("fleet", {}), *changes.get("more_fleets", [])],
        **changes.get("top", {}),
    }


def test_the_checked_in_settings_describe_three_zones_in_two_regions() -> None:
    settings = load(ROOT / "cdk-ami.toml")

    assert settings.image.regions == ("us-east-1", "eu-west-1")
    assert [(fleet.region, fleet.size, len(set(fleet.zones))) for fleet in settings.fleets] == [
        ("us-east-1", 3, 3),
        ("eu-west-1", 3, 3),
    ]
    assert all(Path(component).is_file() for component in settings.image.components)


def test_what_is_left_out_gets_a_default() -> None:
    settings = parse(settings_with(), where="cdk-ami.toml", folder=HERE)

    fleet = settings.fleets[0]
    assert (fleet.name, fleet.size, fleet.image, fleet.channel) == ("web", 2, "web", "latest")
    assert (settings.image.architecture, settings.image.build, settings.account) == ("x86_64", "on-change", None)


def test_component_paths_start_from_the_settings_file_and_managed_ones_are_left_alone() -> None:
    settings = parse(
        settings_with(image={"components": ["components/a.yaml", "aws:update-linux", "ready:time-sync"]}),
        where="f",
        folder=HERE,
    )

    assert settings.image.components == ("/somewhere/components/a.yaml", "aws:update-linux", "ready:time-sync")


@pytest.mark.parametrize(
    ("changes", "prop", "got"),
    [
        ({"image": {"name": "Web Server"}}, "image.name", "Web Server"),
        ({"image": {"source": "amazon-linux-3"}}, "image.source", "amazon-linux-3"),
        ({"image": {"architecture": "sparc"}}, "image.architecture", "sparc"),
        ({"image": {"build": "nightly"}}, "image.build", "nightly"),
        ({"image": {"root_volume_gib": 0}}, "image.root_volume_gib", 0),
        ({"image": {"colour": "red"}}, "image.colour", "red"),
        ({"image": {"region": "us-esat-1"}}, "image.region", "us-esat-1"),
        ({"image": {"copy_to": ["eu-west-1", "us-east-1"]}}, "image.copy_to", "us-east-1"),
        ({"top": {"account": "42"}}, "account", "42"),
        ({"fleet": {"zones": []}}, "fleet[0].zones", []),
        ({"fleet": {"zones": ["us-east-1a"]}}, "fleet[0].zones[0]", "us-east-1a"),
        ({"fleet": {"size": "two"}}, "fleet[0].size", "two"),
        ({"fleet": {"region": "eu-west-2", "zones": ["eu-west-2a"]}}, "fleet[0].region", "eu-west-2"),
        ({"fleet": {"vpc_id": "vpc-0123456789abcdef0"}}, "fleet[0].subnets", {}),
        (
            {"fleet": {"vpc_id": "vpc-0123456789abcdef0", "subnets": {"eu-west-1a": "subnet-0123456789abcdef0"}}},
            "fleet[0].subnets",
            {"eu-west-1a": "subnet-0123456789abcdef0"},
        ),
        ({"more_fleets": [{"region": "eu-west-1", "zones": ["eu-west-1c"]}]}, "fleet[1].name", "web"),
    ],
)
def test_a_fault_names_the_key_and_the_value(changes: dict[str, Any], prop: str, got: object) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(settings_with(**changes), where="cdk-ami.toml", folder=HERE)

    assert (caught.value.where, caught.value.prop, caught.value.got) == ("cdk-ami.toml", prop, got)


def test_all_faults_are_named_at_once() -> None:
    broken = settings_with(image={"name": "", "source": "x", "extra": 1}, fleet={"zones": [3]})

    with pytest.raises(ConfigError) as caught:
        parse(broken, where="cdk-ami.toml", folder=HERE)

    assert [fault.prop for fault in caught.value.faults] == [
        "fleet[0].zones[0]",
        "image.extra",
        "image.name",
        "image.source",
    ]


def test_a_missing_key_is_named_with_its_table() -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"image": {"name": "web", "region": "us-east-1"}, "fleet": []}, where="cdk-ami.toml", folder=HERE)

    assert str(caught.value) == "cdk-ami.toml: image.source is missing; add source"


def test_a_missing_file_and_a_broken_one_say_so(tmp_path: Path) -> None:
    broken = tmp_path / "cdk-ami.toml"
    with pytest.raises(ConfigError, match="is missing") as missing:
        load(broken)
    broken.write_text("[image\n")
    with pytest.raises(ConfigError, match="cannot be read as TOML") as invalid:
        load(broken)

    assert missing.value.where == invalid.value.where == str(broken)


def test_each_key_of_the_settings_is_described_in_the_reference() -> None:
    reference = (ROOT / "docs/reference/settings.md").read_text()
    example = tomllib.loads((ROOT / "cdk-ami.toml").read_text())

    assert {f"`{key}`" for key in [*example["image"], *example["fleet"][0]]} <= {
        word for word in reference.replace("|", " ").split() if word.startswith("`")
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["name", "region", "source", "copy_to", "zones", "size", "vpc_id", "subnets", "colour"])


@given(image=st.dictionaries(KEYS, JSON), fleets=st.lists(st.dictionaries(KEYS, JSON), max_size=2))
def test_whatever_a_file_holds_it_is_settings_or_one_error(image: dict[str, Any], fleets: list[dict[str, Any]]) -> None:
    whole = settings_with()
    data = {"image": whole["image"] | image, "fleet": [*whole["fleet"], *fleets]}
    faults: tuple[Fault, ...] = ()

    try:
        settings = parse(data, where="cdk-ami.toml", folder=HERE)
    except ConfigError as error:
        faults = error.faults

    assert bool(faults) or len(settings.fleets) == 1 + len(fleets)
    assert all(fault.prop.startswith(("image", "fleet")) and fault.fix for fault in faults)
