"""AMI ids that stand in parameters, looked up at launch."""

from __future__ import annotations

from typing import Any, Final

from moto.ssm.exceptions import SSMException
from moto.ssm.models import ssm_backends

from cdk_ami.sandbox.ec2.refusal import refusal

RESOLVE: Final = "resolve:ssm:"
"""Prefix of an image id that names a parameter, whose version or label may follow after a colon.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-systems-manager-parameter-to-find-AMI.html
"""


def resolve_image_id(backend: Any, image_id: str) -> str:
    """Return the AMI id that ``image_id`` stands for, itself unless it names a parameter."""
    if not image_id.startswith(RESOLVE):
        return image_id
    name = image_id.removeprefix(RESOLVE)
    try:
        parameter = ssm_backends[backend.account_id][backend.region_name].get_parameter(name)
    except SSMException as error:
        raise refusal("InvalidParameterValue", f"{error.message} for the image id '{image_id}'") from error
    if parameter is None:
        raise refusal("InvalidParameterValue", f"Unable to find the parameter {name} for the image id '{image_id}'")
    value = str(parameter.value)
    if not value.startswith("ami-"):
        raise refusal("InvalidAMIID.Malformed", f"The parameter {name} holds no image id but '{value}'")
    return value
