"""What the parameter store tells about its parameters.

https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html and
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html, read 2026-11-28
"""

from __future__ import annotations

from moto.ssm.models import Parameter

from cdk_ami.sandbox.events.emit import emit


def tell(parameter: Parameter, operation: str, *, region: str, exception: str | None = None) -> None:
    """Emit the event of a change, or of one that came to nothing.

    Args:
        parameter: The parameter as it is, or as it should have been.
        operation: ``Create``, ``Update``, ``Delete`` or ``LabelParameterVersion``.
        region: Where it stands.
        exception: Why a value of data type ``aws:ec2:image`` was dropped.
    """
    detail = {"operation": operation, "name": parameter.name, "type": parameter.parameter_type}
    if parameter.data_type != "text":
        detail["dataType"] = parameter.data_type
    if parameter.description:
        detail["description"] = parameter.description
    if exception is not None:
        detail["exception"] = exception
    account = parameter.account_id
    arn = f"arn:aws:ssm:{region}:{account}:parameter/{parameter.name.removeprefix('/')}"
    emit(region, account, "aws.ssm", "Parameter Store Change", detail, [arn])
