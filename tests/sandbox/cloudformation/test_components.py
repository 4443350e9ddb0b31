"""Components of every kind deploy: the service accepts their documents."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_ami import AgentConfig, Component, GoldenImage, Platform, ReadyComponent, SourceImage
from tests.support.sandbox import MakeClient
from tests.support.stacks import Stacks
from tests.support.synth import make_stack, template_of


def test_components_of_every_kind_deploy(stacks: Stacks, aws: MakeClient, tmp_path: Path) -> None:
    (tmp_path / "app.conf").write_text("port = 80\n")
    stack = make_stack("Kinds")
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "shop/key")
    linux = [
        Component.packages("tools", ["git"]),
        Component.from_files("files", {"/etc/app.conf": tmp_path / "app.conf"}),
        Component.from_commands("secret", ["run $KEY"], secrets={"KEY": secret}),
        Component.service("httpd"),
        Component.cloudwatch_agent(AgentConfig()),
        Component.reboot(),
        *(Component.ready(one) for one in ReadyComponent),
    ]
    windows = [
        Component.from_files("files-windows", {"C:\\App\\app.conf": tmp_path / "app.conf"}, platform=Platform.WINDOWS),
        Component.service("W3SVC", platform=Platform.WINDOWS),
        Component.cloudwatch_agent(AgentConfig(), name="agent-windows", platform=Platform.WINDOWS),
    ]
    GoldenImage(stack, "Linux", name="linux", source=SourceImage.amazon_linux_2023(), components=linux)
    GoldenImage(stack, "Windows", name="windows", source=SourceImage.windows_server(), components=windows)

    status = stacks.create("Kinds", template_of(stack)["Resources"])

    assert status == "CREATE_COMPLETE"
    made = aws("imagebuilder").list_components(owner="Self")["componentVersionList"]
    assert len([one for one in made if one["name"].startswith("kinds-")]) == len(linux) + len(windows)
