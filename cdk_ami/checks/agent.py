"""Rules over the configuration of the CloudWatch agent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final

from cdk_ami.checks.rule import Problem, rule
from cdk_ami.checks.shape import short
from cdk_ami.limits import LOG_GROUP

_MONITORING: Final = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/"
_FILE: Final = f"{_MONITORING}CloudWatch-Agent-Configuration-File-Details.html"
_METRICS: Final = f"{_MONITORING}metrics-collected-by-CloudWatch-agent.html"

SECTIONS: Final = ("agent", "metrics", "logs", "traces")
"""Sections of the agent's configuration."""

DIMENSIONS: Final = ("AutoScalingGroupName", "ImageId", "InstanceId", "InstanceType")
"""Dimensions that the agent fills in by itself."""

LINUX_GROUPS: Final = (
    "collectd", "cpu", "disk", "diskio", "ethtool", "mem", "net", "netstat", "nvidia_gpu", "processes", "procstat",
    "statsd", "swap",
)  # fmt: skip
"""Groups of metrics that the agent collects on Linux."""

_NAMESPACE_MAX: Final = 255
_INTERVAL_MAX: Final = 172_800


@rule("AgentConfiguration", source=_FILE)
def agent_configuration(config: Any) -> Iterator[Problem]:
    """The agent's configuration is a mapping that tells it to collect something."""
    if not isinstance(config, Mapping):
        yield Problem(problem="is no mapping", got=short(config), fix="give the agent's JSON, or an AgentConfig")
        return
    for section in config:
        if section not in SECTIONS:
            near = get_close_matches(str(section), SECTIONS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"use {', '.join(SECTIONS)}"
            yield Problem(problem="is no section that the agent knows", got=section, fix=hint, at=f"[{section!r}]")
        elif not isinstance(config[section], Mapping):
            yield Problem(
                problem="is no mapping", got=short(config[section]), fix="give a mapping", at=f"[{section!r}]"
            )
    if not any(config.get(section) for section in SECTIONS[1:]):
        yield Problem(problem="collects nothing", got=short(dict(config)), fix="add metrics or logs")


@rule("AgentNamespace", source=_FILE)
def agent_namespace(namespace: str) -> Iterator[Problem]:
    """A namespace of metrics has 1 to 255 characters and is none of AWS's."""
    if not isinstance(namespace, str) or not 0 < len(namespace) <= _NAMESPACE_MAX or namespace.startswith("AWS/"):
        yield Problem(
            problem="is no namespace of your own", got=namespace, fix="use CWAgent, or a name such as Shop/Web"
        )


@rule("AgentInterval", source=_FILE)
def agent_interval(seconds: int) -> Iterator[Problem]:
    """The agent measures every 1 to 172,800 seconds."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 1 <= seconds <= _INTERVAL_MAX:
        yield Problem(problem="is no interval", got=seconds, fix=f"give whole seconds from 1 to {_INTERVAL_MAX:,}")


@rule("AgentDimension", source=_FILE)
def agent_dimensions(names: Sequence[str]) -> Iterator[Problem]:
    """The agent fills in four dimensions by itself."""
    for index, name in enumerate(names):
        if name not in DIMENSIONS:
            near = get_close_matches(str(name), DIMENSIONS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"use {', '.join(DIMENSIONS)}"
            yield Problem(problem="is no dimension that the agent fills in", got=name, fix=hint, at=f"[{index}]")


@rule("AgentMetrics", source=_METRICS)
def agent_metrics(group: str, measurements: Sequence[str], platform: str) -> Iterator[Problem]:
    """A group of metrics is one that the agent collects, and names what is measured."""
    if platform == "Linux" and group not in LINUX_GROUPS:
        near = get_close_matches(str(group), LINUX_GROUPS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(LINUX_GROUPS)}"
        yield Problem(problem="is no group that the agent collects on Linux", got=group, fix=hint, at=".group")
    if isinstance(measurements, str) or not measurements:
        yield Problem(
            problem="name nothing",
            got=measurements,
            fix="list at least one, such as 'used_percent'",
            at=".measurements",
        )


@rule("AgentLog", source=_FILE)
def agent_log(path: str, log_group: str, platform: str) -> Iterator[Problem]:
    """A log is a file by its absolute path, and goes to a log group."""
    absolute = (PureWindowsPath(path) if platform == "Windows" else PurePosixPath(path)).is_absolute()
    if not absolute:
        yield Problem(problem=f"is no absolute path on {platform}", got=path, fix="write the whole path", at=".path")
    # The agent fills in the likes of {instance_id}.
    if not re.fullmatch(LOG_GROUP, re.sub(r"\{[a-z_]+\}", "x", log_group)):
        yield Problem(
            problem="is no name of a log group",
            got=log_group,
            fix="use letters, digits and _ - / . #, such as httpd/access",
            at=".log_group",
        )
