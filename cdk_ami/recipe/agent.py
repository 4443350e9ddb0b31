"""The CloudWatch agent: its configuration, and the document that installs it with one.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Agent-Configuration-File-Details.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cdk_ami.checks import agent as rules
from cdk_ami.checks import builds
from cdk_ami.errors import Faults
from cdk_ami.recipe import actions
from cdk_ami.recipe.builder import ComponentDocument, Phase, Step
from cdk_ami.recipe.services import running_on_linux, running_on_windows
from cdk_ami.source.platform import Platform

_DOWNLOADS: Final = "https://amazoncloudwatch-agent.s3.amazonaws.com"
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/download-CloudWatch-Agent-on-EC2-Instance-commandline-first.html,
read on 2026-11-28"""

_LINUX: Final = "/opt/aws/amazon-cloudwatch-agent"
_WINDOWS: Final = "C:\\Program Files\\Amazon\\AmazonCloudWatchAgent"
_WINDOWS_DATA: Final = "C:\\ProgramData\\Amazon\\AmazonCloudWatchAgent"
_SERVICE: Final = {Platform.LINUX: "amazon-cloudwatch-agent", Platform.WINDOWS: "AmazonCloudWatchAgent"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentMetrics:
    """What the agent measures of one thing.

    Attributes:
        group: The thing: ``mem``, ``disk``, ``cpu`` and the like on Linux, a performance object such as ``Memory`` on
            Windows.
        measurements: What is measured, such as ``mem_used_percent`` or ``% Committed Bytes In Use``.
        resources: Which of several, such as ``/`` of the disks.  Default: all of them.
        interval_seconds: Seconds between measurements.  Default: the configuration's.
        dimensions: Dimensions of your own, by name.
    """

    group: str
    measurements: Sequence[str]
    resources: Sequence[str] = ()
    interval_seconds: int | None = None
    dimensions: Mapping[str, str] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """Return the section as the agent reads it."""
        section: dict[str, Any] = {"measurement": list(self.measurements)}
        if self.resources:
            section["resources"] = list(self.resources)
        if self.group == "disk":
            # Device names differ between instance types, and would part the metric of one disk.
            section["drop_device"] = True
        if self.interval_seconds is not None:
            section["metrics_collection_interval"] = self.interval_seconds
        if self.dimensions:
            section["append_dimensions"] = dict(self.dimensions)
        return section


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLog:
    """A log file that the agent sends.

    Attributes:
        path: Its absolute path, in which ``*`` and ``**`` stand for any name and any folders.
        log_group: Log group, under the configuration's prefix unless it begins with a slash.
        log_stream: Log stream.  Default: one for each instance.
        retention_days: Days that the log group keeps events.  Default: 30.
        timestamp_format: How a line tells its time, such as ``%Y-%m-%dT%H:%M:%S``.  Default: the time of reading.
    """

    path: str
    log_group: str
    log_stream: str = "{instance_id}"
    retention_days: int = 30
    timestamp_format: str | None = None

    def data(self, prefix: str) -> dict[str, Any]:
        """Return the entry as the agent reads it."""
        group = self.log_group if self.log_group.startswith("/") else f"{prefix.rstrip('/')}/{self.log_group}"
        entry = {
            "file_path": self.path,
            "log_group_name": group,
            "log_stream_name": self.log_stream,
            "retention_in_days": self.retention_days,
        }
        return entry | ({"timestamp_format": self.timestamp_format} if self.timestamp_format else {})


_USUAL: Final = {
    Platform.LINUX: (
        AgentMetrics(group="mem", measurements=["mem_used_percent"]),
        AgentMetrics(group="disk", measurements=["used_percent"], resources=["/"]),
    ),
    Platform.WINDOWS: (
        AgentMetrics(group="Memory", measurements=["% Committed Bytes In Use"]),
        AgentMetrics(group="LogicalDisk", measurements=["% Free Space"], resources=["*"]),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """What the CloudWatch agent of an image collects.

    Each metric that the agent sends is a custom one, billed by the month; each log is billed by its size.

    Attributes:
        metrics: What it measures.  Default: memory, and the root disk (Windows: all disks), which EC2 does not measure.
        logs: Log files that it sends.
        namespace: Namespace of the metrics.  Default: ``CWAgent``, the one that the default role of a fleet allows.
        interval_seconds: Seconds between measurements.
        log_prefix: What the names of log groups begin with, the fleet's ``agent_log_prefix``.
        dimensions: Dimensions of each metric: some of ``AutoScalingGroupName``, ``ImageId``, ``InstanceId`` and
            ``InstanceType``.
        aggregations: Dimensions over which metrics are added up.  Default: each group, and each image.
    """

    metrics: Sequence[AgentMetrics] | None = None
    logs: Sequence[AgentLog] = ()
    namespace: str = "CWAgent"
    interval_seconds: int = 60
    log_prefix: str = "/golden-image"
    dimensions: Sequence[str] = ("AutoScalingGroupName", "ImageId", "InstanceId")
    aggregations: Sequence[Sequence[str]] = (("AutoScalingGroupName",), ("ImageId",))

    def data(self, platform: Platform) -> dict[str, Any]:
        """Return the configuration as the agent reads it on ``platform``."""
        agent: dict[str, Any] = {"metrics_collection_interval": self.interval_seconds}
        if platform is Platform.LINUX:
            agent["run_as_user"] = "root"
        config: dict[str, Any] = {"agent": agent}
        metrics = _USUAL[platform] if self.metrics is None else self.metrics
        if metrics:
            config["metrics"] = {
                "namespace": self.namespace,
                "append_dimensions": {name: "${aws:" + name + "}" for name in self.dimensions},
                "aggregation_dimensions": [list(names) for names in self.aggregations],
                "metrics_collected": {one.group: one.data() for one in metrics},
            }
        if self.logs:
            files = {"collect_list": [log.data(self.log_prefix) for log in self.logs]}
            config["logs"] = {"logs_collected": {"files": files}}
        return config

    def find_faults(self, faults: Faults, platform: Platform) -> None:
        """Record in ``faults`` what the agent would refuse."""
        faults.check("config.namespace", rules.agent_namespace(self.namespace))
        faults.check("config.interval_seconds", rules.agent_interval(self.interval_seconds))
        faults.check("config.dimensions", rules.agent_dimensions(list(self.dimensions)))
        for index, one in enumerate(self.metrics or ()):
            prop = f"config.metrics[{index}]"
            measurements = one.measurements if isinstance(one.measurements, str) else list(one.measurements)
            faults.check(prop, rules.agent_metrics(one.group, measurements, platform))
            if one.interval_seconds is not None:
                faults.check(f"{prop}.interval_seconds", rules.agent_interval(one.interval_seconds))
        for index, log in enumerate(self.logs):
            prop = f"config.logs[{index}]"
            faults.check(prop, rules.agent_log(log.path, log.data(self.log_prefix)["log_group_name"], platform))
            faults.check(f"{prop}.retention_days", builds.log_retention(log.retention_days))


def agent_document(
    name: str, config: AgentConfig | Mapping[str, Any] | str | Path, *, platform: Platform, where: str
) -> ComponentDocument:
    """Return the document that installs the agent, configures it, and tests that it runs.

    Args:
        name: Name of the component.
        config: The configuration: typed, the agent's JSON as data, or a file of it.
        platform: Operating system of the image.
        where: What an error names.

    Raises:
        ConfigError: When the agent would refuse the configuration.
    """
    faults = Faults(where)
    if isinstance(config, AgentConfig):
        config.find_faults(faults, platform)
        faults.raise_if_any()
        data: Any = config.data(platform)
    else:
        data = _read(Path(config), faults) if isinstance(config, str | Path) else config
    faults.check("config", rules.agent_configuration(data))
    for place, days in _retentions(data):
        faults.check(f"config{place}", builds.log_retention(days))
    faults.raise_if_any()
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    install, configure = (_on_windows if platform is Platform.WINDOWS else _on_linux)(text)
    unit = _SERVICE[platform]
    runs = running_on_windows(unit) if platform is Platform.WINDOWS else running_on_linux(unit)
    return ComponentDocument(
        name=name,
        description="Installs the CloudWatch agent, configures it, and tests that it runs",
        phases=[
            Phase("build", [*install, *configure]),
            Phase("validate", [Step("IsEnabled", _enabled(platform))]),
            Phase("test", [Step("Runs", runs, timeout_seconds=240)]),
        ],
    )


def _read(path: Path, faults: Faults) -> Any:
    if not path.is_file():
        faults.add("config", "is no file", got=str(path), fix=f"mend the path (looked in {path.parent})")
        faults.raise_if_any()
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        faults.add("config", "is no JSON", got=str(path), fix=f"mend it: {error}")
        faults.raise_if_any()
        raise


def _retentions(config: Any) -> Iterator[tuple[str, Any]]:
    entries: Any = config
    for key in ("logs", "logs_collected", "files", "collect_list"):
        entries = entries.get(key) if isinstance(entries, Mapping) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        # -1 keeps events for ever.
        if isinstance(entry, Mapping) and entry.get("retention_in_days", -1) != -1:
            place = f"['logs']['logs_collected']['files']['collect_list'][{index}]['retention_in_days']"
            yield place, entry["retention_in_days"]


def _on_linux(config: str) -> tuple[list[Step], list[Step]]:
    file = f"{_LINUX}/etc/configuration.json"
    install = (
        "source /etc/os-release\n"
        'case "$ID" in\n'
        "amzn)\n"
        "  if command -v dnf > /dev/null; then\n"
        "    dnf --assumeyes install amazon-cloudwatch-agent\n"
        "  else\n"
        "    yum --assumeyes install amazon-cloudwatch-agent\n"
        "  fi\n"
        "  ;;\n"
        "debian|ubuntu)\n"
        "  package=$(mktemp --suffix=.deb)\n"
        "  if ! command -v curl > /dev/null; then\n"
        "    apt-get --option DPkg::Lock::Timeout=300 update\n"
        "    apt-get --yes --option DPkg::Lock::Timeout=300 install curl\n"
        "  fi\n"
        '  curl --fail --silent --show-error --location --retry 5 --output "$package" \\\n'
        f'    "{_DOWNLOADS}/$ID/$(dpkg --print-architecture)/latest/amazon-cloudwatch-agent.deb"\n'
        '  apt-get --yes --option DPkg::Lock::Timeout=300 install "$package"\n'
        '  rm "$package"\n'
        "  ;;\n"
        "*)\n"
        '  echo "the agent is not known to be there for $ID: install it with a component of your own" >&2\n'
        "  exit 1\n"
        "  ;;\n"
        "esac"
    )
    return (
        [Step("Install", actions.bash("export DEBIAN_FRONTEND=noninteractive", install))],
        [
            Step("WriteConfiguration", actions.CreateFile(path=file, content=config, permissions="0644")),
            # Reads the configuration, and fails where the agent would not start with it.
            Step(
                "Configure",
                actions.bash(f"{_LINUX}/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -c file:{file}"),
            ),
            Step("Enable", actions.bash(f"systemctl enable {_SERVICE[Platform.LINUX]}")),
        ],
    )


def _on_windows(config: str) -> tuple[list[Step], list[Step]]:
    file = f"{_WINDOWS_DATA}\\configuration.json"
    installer = f"{_DOWNLOADS}/windows/amd64/latest/amazon-cloudwatch-agent.msi"
    return (
        # The action verifies the installer's signature.
        [Step("Install", actions.InstallMSI(path=installer, reboot="Skip"), max_attempts=3)],
        [
            Step("WriteConfiguration", actions.CreateFile(path=file, content=config)),
            Step(
                "Configure",
                actions.powershell(
                    f"& '{_WINDOWS}\\amazon-cloudwatch-agent-ctl.ps1' -a fetch-config -m ec2 -c 'file:{file}'"
                ),
            ),
            Step(
                "Enable",
                actions.powershell(f"Set-Service -Name {_SERVICE[Platform.WINDOWS]} -StartupType Automatic"),
            ),
        ],
    )


def _enabled(platform: Platform) -> actions.Action:
    unit = _SERVICE[platform]
    if platform is Platform.LINUX:
        return actions.bash(f"systemctl is-enabled {unit}")
    return actions.powershell(
        f"if ((Get-Service -Name {unit}).StartType -ne 'Automatic') {{ throw 'the agent does not start by itself' }}"
    )
