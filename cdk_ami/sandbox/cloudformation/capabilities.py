"""What a caller must acknowledge before a template that makes IAM resources is deployed."""

from __future__ import annotations

from typing import Final

from cdk_ami.sandbox.cloudformation.template import Template

NAMED_IAM: Final = {
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
}
"""IAM types with the property that names them, which asks for ``CAPABILITY_NAMED_IAM``."""

IAM_TYPES: Final = frozenset({*NAMED_IAM, "AWS::IAM::Policy", "AWS::IAM::RolePolicy"})
"""Types that ask for ``CAPABILITY_IAM``.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/control-access-with-iam.html"""


def required_capabilities(template: Template) -> str | None:
    """Return the capability that a template asks for, None when it makes no IAM resources."""
    types = [resource for resource in template.resources.values() if resource.type in IAM_TYPES]
    if any(NAMED_IAM.get(resource.type, "") in resource.properties for resource in types):
        return "CAPABILITY_NAMED_IAM"
    return "CAPABILITY_IAM" if types else None
