"""The CloudWatch agent: typed, as JSON and from a file; what it would refuse is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cdk_ami import Platform
from cdk_ami.errors import ConfigError
from cdk_ami.recipe.agent import AgentConfig, AgentLog, AgentMetrics
from cdk_ami.recipe.component import Component
from tests.support.components import scripts_of, steps_of
from tests.support.synth import ROOT

LINUX, WINDOWS = Platform.LINUX, Platform.WINDOWS


def configuration_of(component: Component) -> Any:
    (step,) = [step for step in steps_of(component) if step["action"] == "CreateFile"]
    return json.loads(step["inputs"][0]["content"])


def test_the_usual_configuration_measures_what_ec2_does_not() -> None:
    config = configuration_of(Component.cloudwatch_agent(AgentConfig()))

    assert config == {
        "agent": {"metrics_collection_interval": 60, "run_as_user": "root"},
        "metrics": {
            "namespace": "CWAgent",
            "append_dimensions": {
                "AutoScalingGroupName": "${aws:AutoScalingGroupName}",
                "ImageId": "${aws:ImageId}",
                "InstanceId": "${aws:InstanceId}",
            },
            "aggregation_dimensions": [["AutoScalingGroupName"], ["ImageId"]],
            "metrics_collected": {
                "mem": {"measurement": ["mem_used_percent"]},
                "disk": {"measurement": ["used_percent"], "resources": ["/"], "drop_device": True},
            },
        },
    }


def test_logs_go_under_the_prefix_that_the_role_of_a_fleet_allows() -> None:
    logs = [
        AgentLog(path="/var/log/httpd/access_log", log_group="httpd/access", retention_days=7),
        AgentLog(path="/var/log/own", log_group="/own/{instance_id}", timestamp_format="%Y"),
    ]

    config = configuration_of(Component.cloudwatch_agent(AgentConfig(metrics=[], logs=logs)))

    assert "metrics" not in config
    assert config["logs"]["logs_collected"]["files"]["collect_list"] == [
        {
            "file_path": "/var/log/httpd/access_log",
            "log_group_name": "/golden-image/httpd/access",
            "log_stream_name": "{instance_id}",
            "retention_in_days": 7,
        },
        {
            "file_path": "/var/log/own",
            "log_group_name": "/own/{instance_id}",
            "log_stream_name": "{instance_id}",
            "retention_in_days": 30,
            "timestamp_format": "%Y",
        },
    ]


def test_a_group_of_metrics_has_its_own_interval_and_dimensions() -> None:
    metrics = [AgentMetrics(group="cpu", measurements=["usage_idle"], interval_seconds=10, dimensions={"Tier": "web"})]

    config = configuration_of(Component.cloudwatch_agent(AgentConfig(metrics=metrics)))

    assert config["metrics"]["metrics_collected"]["cpu"] == {
        "measurement": ["usage_idle"],
        "metrics_collection_interval": 10,
        "append_dimensions": {"Tier": "web"},
    }


def test_the_component_installs_configures_enables_and_tests_on_linux() -> None:
    component = Component.cloudwatch_agent(AgentConfig())

    assert component.document is not None
    assert component.document.phases == ("build", "validate", "test")
    assert [step["name"] for step in steps_of(component)] == ["Install", "WriteConfiguration", "Configure", "Enable"]
    install = scripts_of(component)["Install"]
    assert "dnf --assumeyes install amazon-cloudwatch-agent" in install
    assert "$ID/$(dpkg --print-architecture)/latest/amazon-cloudwatch-agent.deb" in install
    assert "systemctl is-active --quiet amazon-cloudwatch-agent" in scripts_of(component, "test")["Runs"]
    assert (component.platform, component.has_tests) == (LINUX, True)


def test_the_component_installs_configures_enables_and_tests_on_windows() -> None:
    component = Component.cloudwatch_agent(AgentConfig(), platform=WINDOWS)

    assert [step["action"] for step in steps_of(component)] == [
        "InstallMSI",
        "CreateFile",
        "ExecutePowerShell",
        "ExecutePowerShell",
    ]
    assert set(configuration_of(component)["metrics"]["metrics_collected"]) == {"Memory", "LogicalDisk"}
    assert component.platform is WINDOWS


def test_the_agents_own_json_comes_in_as_data_and_as_a_file(tmp_path: Path) -> None:
    config = {"metrics": {"metrics_collected": {"mem": {"measurement": ["mem_used"]}}}}
    path = tmp_path / "agent.json"
    path.write_text(json.dumps(config))

    for given in (config, path, str(path)):
        assert configuration_of(Component.cloudwatch_agent(given)) == config


@pytest.mark.parametrize(
    ("config", "rule", "prop", "fix"),
    [
        (AgentConfig(namespace="AWS/EC2"), "AgentNamespace", "config.namespace", "CWAgent"),
        (AgentConfig(interval_seconds=0), "AgentInterval", "config.interval_seconds", "from 1"),
        (AgentConfig(dimensions=["ImageID"]), "AgentDimension", "config.dimensions[0]", "'ImageId'"),
        (
            AgentConfig(metrics=[AgentMetrics(group="memm", measurements=["x"])]),
            "AgentMetrics",
            "config.metrics[0].group",
            "'mem'",
        ),
        (
            AgentConfig(metrics=[AgentMetrics(group="mem", measurements=[])]),
            "AgentMetrics",
            "config.metrics[0].measurements",
            "at least one",
        ),
        (
            AgentConfig(metrics=[AgentMetrics(group="mem", measurements=["x"], interval_seconds=-1)]),
            "AgentInterval",
            "config.metrics[0].interval_seconds",
            "from 1",
        ),
        (AgentConfig(logs=[AgentLog(path="log", log_group="x")]), "AgentLog", "config.logs[0].path", "whole path"),
        (
            AgentConfig(logs=[AgentLog(path="/log", log_group="a b")]),
            "AgentLog",
            "config.logs[0].log_group",
            "letters",
        ),
        (
            AgentConfig(logs=[AgentLog(path="/log", log_group="x", retention_days=8)]),
            "LogRetention",
            "config.logs[0].retention_days",
            "use 7",
        ),
        (AgentConfig(metrics=[]), "AgentConfiguration", "config", "add metrics or logs"),
        ([], "AgentConfiguration", "config", "AgentConfig"),
        ({"metric": {}, "logs": {"a": 1}}, "AgentConfiguration", "config['metric']", "'metrics'"),
        ({"metrics": []}, "AgentConfiguration", "config['metrics']", "a mapping"),
        (
            {"logs": {"logs_collected": {"files": {"collect_list": [{"retention_in_days": "soon"}]}}}},
            "LogRetention",
            "config['logs']['logs_collected']['files']['collect_list'][0]['retention_in_days']",
            "use 1",
        ),
        ("nowhere.json", "", "config", "mend the path"),
        (str(ROOT / "README.md"), "", "config", "mend it"),
    ],
)
def test_what_the_agent_would_refuse_is_refused(config: Any, rule: str, prop: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Component.cloudwatch_agent(config)

    assert caught.value.where == "Component.cloudwatch_agent('cloudwatch-agent')"
    assert (caught.value.faults[0].rule, caught.value.prop) == (f"cdk-ami::{rule}" if rule else "", prop)
    assert fix in caught.value.fix
