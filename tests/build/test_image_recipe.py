"""What an image is made from: components, volumes and tags of its recipe."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import assertions
from aws_cdk import aws_imagebuilder as imagebuilder
from aws_cdk import aws_kms as kms

from cdk_ami.build.environment import BuildEnvironment
from cdk_ami.build.golden_image import GoldenImage
from cdk_ami.build.schedule import BuildSchedule
from cdk_ami.build.trigger import BuildTrigger
from cdk_ami.distribution.distribution import Distribution
from cdk_ami.recipe.component import Component
from cdk_ami.recipe.volume import Volume
from cdk_ami.source.image import SourceImage
from tests.support.images import (
    DISTRIBUTION,
    IMAGE,
    PIPELINE,
    RECIPE,
    make_image,
    properties_with,
    template_with,
)
from tests.support.synth import get_att, make_stack, only_resource, resources_of, template_of


def test_components_come_in_order_and_tests_after_them() -> None:
    install = Component.from_commands("install", ["dnf -y install httpd"])
    probe = Component.from_commands("probe", ["curl -f localhost"], phase="test")
    agent = Component.aws_managed("amazon-cloudwatch-agent-linux", version="1.0.1")

    recipe = properties_with(RECIPE, components=[agent, install], tests=[probe])

    arns = [str(entry["ComponentArn"]) for entry in recipe["Components"]]
    assert [word for arn in arns for word in ("cloudwatch-agent", "Install", "Probe") if word in arn] == [
        "cloudwatch-agent",
        "Install",
        "Probe",
    ]


def test_no_tests_means_no_tests() -> None:
    recipe = properties_with(RECIPE, components=[Component.aws_managed("update-linux")], tests=[])

    [only] = recipe["Components"]
    assert "update-linux" in str(only["ComponentArn"])


def test_a_recipe_without_components_names_none() -> None:
    assert "Components" not in properties_with(RECIPE, tests=[])
    assert "Components" not in properties_with(RECIPE, run_tests=False)


def test_tests_that_are_not_run_are_pointed_out() -> None:
    stack = make_stack()
    probe = Component.from_commands("probe", ["true"], phase="test")

    make_image(stack, tests=[probe], run_tests=False)

    found = assertions.Annotations.from_stack(stack).find_warning("/S/Web", assertions.Match.any_value())
    assert "run_tests=False" in str(found[0].entry.data)


def test_the_boot_test_is_not_added_twice() -> None:
    recipe = properties_with(RECIPE, components=[Component.aws_managed("simple-boot-test-linux")])

    [only] = recipe["Components"]
    assert "simple-boot-test-linux" in str(only["ComponentArn"])


def test_a_windows_image_gets_the_boot_test_of_windows() -> None:
    recipe = properties_with(RECIPE, source=SourceImage.windows_server())

    assert "simple-boot-test-windows" in str(recipe["Components"][0])


def test_a_component_made_elsewhere_comes_in_by_reference() -> None:
    stack = make_stack()
    made = imagebuilder.CfnComponent(stack, "Made", name="made", platform="Linux", version="1.0.0", data="x")

    recipe = properties_with(RECIPE, stack, components=[made], tests=[])

    assert recipe["Components"] == [{"ComponentArn": {"Ref": "Made"}}]


def test_one_component_of_two_images_is_rendered_once() -> None:
    stack = make_stack()
    install = Component.from_commands("install", ["dnf -y install httpd"])

    make_image(stack, components=[install])
    GoldenImage(stack, "Api", name="api", source=SourceImage.amazon_linux_2023(), components=[install])

    template = template_of(stack)
    [rendered] = resources_of(template, "AWS::ImageBuilder::Component")
    recipes = resources_of(template, RECIPE).values()
    assert [one["Properties"]["Components"][0]["ComponentArn"] for one in recipes] == [
        {"Fn::GetAtt": [rendered, "Arn"]}
    ] * 2


def test_a_data_volume_leaves_the_root_volume_encrypted() -> None:
    recipe = properties_with(RECIPE, volumes=[Volume(device="/dev/sdf", size_gib=50)])

    assert [entry["DeviceName"] for entry in recipe["BlockDeviceMappings"]] == ["/dev/xvda", "/dev/sdf"]
    assert all(entry["Ebs"]["Encrypted"] for entry in recipe["BlockDeviceMappings"])


def test_a_volume_has_the_size_speed_and_key_that_were_asked_for() -> None:
    stack = make_stack()
    key = kms.Key(stack, "Key")

    recipe = properties_with(RECIPE, stack, volumes=[Volume(size_gib=20, iops=4000, throughput_mib=500, kms_key=key)])

    assert recipe["BlockDeviceMappings"] == [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {
                "DeleteOnTermination": True,
                "Encrypted": True,
                "Iops": 4000,
                "KmsKeyId": get_att("Key961B73FD"),
                "Throughput": 500,
                "VolumeSize": 20,
                "VolumeType": "gp3",
            },
        }
    ]


def test_the_working_directory_and_the_agent_are_as_asked_for() -> None:
    recipe = properties_with(RECIPE, working_directory="/opt/build", keep_ssm_agent=False)

    assert recipe["WorkingDirectory"] == "/opt/build"
    assert recipe["AdditionalInstanceConfiguration"]["SystemsManagerAgent"]["UninstallAfterBuild"] is True


def test_nothing_that_changes_without_the_image_stands_in_the_recipe() -> None:
    recipe = properties_with(RECIPE)

    assert "Description" not in recipe
    assert "Tags" not in recipe


# --- tags


def test_tags_reach_amis_the_image_resource_and_the_build_and_a_change_of_them_builds_nothing() -> None:
    tags = {"team": "api", "cost": "7", "Name": "web", "CreatedBy": "us"}
    environment = BuildEnvironment(resource_tags={"cost": "9"})
    before = template_with(trigger=BuildTrigger.on_change(), tags={"team": "web"})["Resources"]
    after = template_with(trigger=BuildTrigger.on_change(), tags=tags, environment=environment)["Resources"]

    changed = [name for name in before if before[name] != after[name]]

    # Recipe and pipeline decide when a deployment builds, and neither of them changed.
    assert changed == ["WebInfrastructure330B68F4", "WebDistribution1559F4E4", "WebImage085F8B43"]
    infrastructure, distribution, build = (after[name]["Properties"] for name in changed)
    assert infrastructure["ResourceTags"] == {"team": "api", "cost": "9"}
    assert build["Tags"] == {"cdk-ami:image": "web", **tags}
    (target,) = distribution["Distributions"]
    assert target["AmiDistributionConfiguration"]["AmiTags"] == {"cdk-ami:image": "web", **tags}


def test_the_pipeline_carries_tags_for_scheduled_builds_alone() -> None:
    clock = BuildTrigger.schedule(BuildSchedule(expression="rate(7 days)"))

    scheduled = properties_with(PIPELINE, trigger=clock, tags={"team": "web"})
    by_hand = properties_with(PIPELINE, tags={"team": "web"})

    assert scheduled["ImageTags"] == {"cdk-ami:image": "web", "team": "web"}
    assert by_hand["ImageTags"] == {"cdk-ami:image": "web"}


def test_tags_of_a_distribution_win_over_those_of_the_image() -> None:
    distribution = Distribution.to_regions("us-east-1", tags={"team": "platform"})

    properties = properties_with(DISTRIBUTION, distribution=distribution, tags={"team": "web"})

    tags = properties["Distributions"][0]["AmiDistributionConfiguration"]["AmiTags"]
    assert tags == {"cdk-ami:image": "web", "team": "platform"}


def test_every_start_of_a_build_gives_the_image_resource_the_same_tags() -> None:
    template = template_with(trigger=BuildTrigger.on_change(schedule=BuildSchedule.daily()))

    scheduled = only_resource(template, PIPELINE)["Properties"]["ImageTags"]
    deployed = only_resource(template, IMAGE)["Properties"]["Tags"]

    assert scheduled == deployed == {"cdk-ami:image": "web"}


def test_stack_tags_reach_the_resources_and_leave_the_ami_tags_alone() -> None:
    stack = make_stack()
    cdk.Tags.of(stack).add("team", "web")

    recipe = properties_with(RECIPE, stack)

    assert recipe["Tags"] == {"team": "web"}
    assert recipe["AmiTags"] == {"cdk-ami:image": "web"}
