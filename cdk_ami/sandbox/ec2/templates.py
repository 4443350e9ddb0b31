"""Launch templates: versions made of versions, found by number, ``$Latest`` or ``$Default``."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion
from moto.ec2.utils import generic_filter, parse_user_data

from cdk_ami.sandbox.ec2.parameters import RESOLVE, resolve_image_id
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.volumes import check_rate

NEW_ANSWERS: Final = frozenset({"delete_launch_template_versions", "_template", "_template_record", "_version_record"})
"""Operations that the emulator must not have yet."""

VERSION_PAGE: Final = 200
"""Largest page of DescribeLaunchTemplateVersions, and the default.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html
"""


class TemplateMethods:
    """Methods for the emulator's ``LaunchTemplate``."""

    id: str
    versions: list[LaunchTemplateVersion]
    default_version_number: int

    def get_version(self, num: Any) -> LaunchTemplateVersion:
        """Return a version by number, ``$Latest`` or ``$Default``."""
        wanted = str(num or "$Default")
        if wanted == "$Latest":
            return self.versions[-1]
        number = str(self.default_version_number) if wanted == "$Default" else wanted
        for version in self.versions:
            if str(version.number) == number:
                return version
        raise refusal(
            "InvalidLaunchTemplateId.VersionNotFound",
            f"Could not find the specified version {wanted} for the launch template with ID {self.id}.",
        )

    def default_version(self) -> LaunchTemplateVersion:
        """Return the default version."""
        return self.get_version("$Default")

    def create_version(self, data: dict[str, Any], description: str) -> LaunchTemplateVersion:
        """Add a version; numbers are never used again."""
        number = getattr(self, "sandbox_last_number", 0) + 1
        self.sandbox_last_number = number
        version = LaunchTemplateVersion(self, number, data, description)
        self.versions.append(version)
        return version


class TemplateAnswers:
    """Methods for the emulator's ``LaunchTemplates`` responses."""

    ec2_backend: Any
    partition: str
    current_account: str
    _get_param: Any
    _parse_tag_specification: Any
    _filters_from_querystring: Any
    error_on_dryrun: Any

    def create_launch_template(self) -> ActionResult:
        """Answer CreateLaunchTemplate."""
        self.error_on_dryrun()
        data = _checked(self._get_param("LaunchTemplateData", {}))
        template = self.ec2_backend.create_launch_template(
            self._get_param("LaunchTemplateName"),
            self._get_param("VersionDescription"),
            data,
            self._parse_tag_specification(),
        )
        return ActionResult({"LaunchTemplate": self._template_record(template)})

    def create_launch_template_version(self) -> ActionResult:
        """Answer CreateLaunchTemplateVersion: what the request leaves out comes from the source version."""
        self.error_on_dryrun()
        template = self._template()
        data = _checked(self._get_param("LaunchTemplateData", {}))
        source = self._get_param("SourceVersion")
        if source:
            data = {**deepcopy(template.get_version(source).data), **data}
        version = template.create_version(data, self._get_param("VersionDescription"))
        return ActionResult({"LaunchTemplateVersion": self._version_record(template, version)})

    def describe_launch_templates(self) -> ActionResult:
        """Answer DescribeLaunchTemplates."""
        self.error_on_dryrun()
        names, ids = self._get_param("LaunchTemplateNames", []), self._get_param("LaunchTemplateIds", [])
        if names or ids:
            templates = [find_template(self.ec2_backend, {"LaunchTemplateName": name}) for name in names]
            templates += [find_template(self.ec2_backend, {"LaunchTemplateId": each}) for each in ids]
        else:
            templates = list(self.ec2_backend.launch_templates.values())
        templates = generic_filter(self._filters_from_querystring(), templates)
        limit = int(self._get_param("MaxResults") or VERSION_PAGE)
        start = int(self._get_param("NextToken") or 0)
        token = str(start + limit) if start + limit < len(templates) else None
        records = [self._template_record(template) for template in templates[start : start + limit]]
        return ActionResult({"LaunchTemplates": records, "NextToken": token})

    def delete_launch_template_versions(self) -> ActionResult:
        """Answer DeleteLaunchTemplateVersions: any but the default one."""
        self.error_on_dryrun()
        template = self._template()
        done, failed = [], []
        for wanted in self._get_param("Versions", []):
            record = {
                "LaunchTemplateId": template.id,
                "LaunchTemplateName": template.name,
                "VersionNumber": int(wanted) if wanted.isdigit() else 0,
            }
            version = next((held for held in template.versions if str(held.number) == wanted), None)
            if version is None:
                code = "launchTemplateVersionDoesNotExist"
            elif template.is_default(version):
                code = "unexpectedError"
            else:
                template.versions.remove(version)
                done.append(record)
                continue
            failed.append(record | {"ResponseError": {"Code": code, "Message": f"version {wanted} was not deleted"}})
        return ActionResult(
            {
                "SuccessfullyDeletedLaunchTemplateVersions": done,
                "UnsuccessfullyDeletedLaunchTemplateVersions": failed,
            }
        )

    def describe_launch_template_versions(self) -> ActionResult:
        """Answer DescribeLaunchTemplateVersions."""
        self.error_on_dryrun()
        name, template_id = self._get_param("LaunchTemplateName"), self._get_param("LaunchTemplateId")
        wanted = self._get_param("Versions", [])
        if name or template_id:
            template = self._template()
            versions = [template.get_version(each) for each in wanted] if wanted else list(template.versions)
        elif wanted and set(wanted) <= {"$Latest", "$Default"}:
            versions = [
                template.get_version(each)
                for template in list(self.ec2_backend.launch_templates.values())
                for each in wanted
            ]
        else:
            raise refusal("MissingParameter", "Name a launch template, or ask for $Latest, $Default or both of all")
        low, high = int(self._get_param("MinVersion") or 1), self._get_param("MaxVersion")
        versions = [each for each in versions if each.number >= low and (high is None or each.number <= int(high))]
        limit = int(self._get_param("MaxResults") or VERSION_PAGE)
        start = int(self._get_param("NextToken") or 0)
        records = [self._version_record(each.template, each) for each in versions[start : start + limit]]
        if self._get_param("ResolveAlias"):
            for record in records:
                image_id = record["LaunchTemplateData"].get("ImageId", "")
                if image_id.startswith(RESOLVE):
                    record["LaunchTemplateData"]["ImageId"] = resolve_image_id(self.ec2_backend, image_id)
        token = str(start + limit) if start + limit < len(versions) else None
        return ActionResult({"LaunchTemplateVersions": records, "NextToken": token})

    def _template(self) -> LaunchTemplate:
        """Return the launch template that the request names."""
        name, template_id = self._get_param("LaunchTemplateName"), self._get_param("LaunchTemplateId")
        return find_template(self.ec2_backend, {"LaunchTemplateName": name, "LaunchTemplateId": template_id})

    def _template_record(self, template: LaunchTemplate) -> dict[str, Any]:
        """Return a launch template in the answer's shape."""
        return {
            "CreateTime": template.create_time,
            "CreatedBy": f"arn:{self.partition}:iam::{self.current_account}:root",
            "DefaultVersionNumber": template.default_version_number,
            "LatestVersionNumber": template.latest_version_number,
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in template.get_tags()],
        }

    def _version_record(self, template: LaunchTemplate, version: LaunchTemplateVersion) -> dict[str, Any]:
        """Return a version in the answer's shape."""
        return {
            "CreateTime": version.create_time,
            "CreatedBy": f"arn:{self.partition}:iam::{self.current_account}:root",
            "DefaultVersion": template.is_default(version),
            "LaunchTemplateData": deepcopy(version.data),
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionDescription": version.description,
            "VersionNumber": version.number,
        }


def find_template(backend: Any, specification: dict[str, Any]) -> LaunchTemplate:
    """Return the launch template that ``specification`` names by id or by name, one of both."""
    name, template_id = specification.get("LaunchTemplateName"), specification.get("LaunchTemplateId")
    if bool(name) == bool(template_id):
        raise refusal(
            "InvalidParameterCombination",
            "Name the launch template by launchTemplateId or launchTemplateName, not both",
        )
    return backend.get_launch_template_by_name(name) if name else backend.get_launch_template(template_id)


def _checked(data: dict[str, Any]) -> dict[str, Any]:
    """Return template data ready to keep."""
    kept = deepcopy(dict(data))
    if kept.get("UserData") is not None:
        kept["UserData"] = parse_user_data(kept["UserData"])
    for mapping in kept.get("BlockDeviceMappings", []):
        check_rate(mapping.get("Ebs", {}))
    if kept.get("NetworkInterfaces") and (kept.get("SecurityGroupIds") or kept.get("SecurityGroups")):
        raise refusal(
            "InvalidParameterCombination",
            "Network interfaces and an instance-level security groups may not be specified on the same request",
        )
    return kept
