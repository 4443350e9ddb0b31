"""Parameters that hold AMI ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from typing import Any, Final

from moto.ec2.exceptions import EC2ClientError
from moto.ssm.exceptions import ValidationException
from moto.ssm.models import Parameter

from cdk_ami.sandbox import catalog
from cdk_ami.sandbox.ec2.visibility import find_image

ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
"""The emulator's own methods, by name."""

PUBLIC: Final = "/aws/service"
"""Where the parameters of AWS and its partners stand.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
"""

AMI_ID: Final = re.compile(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})")
"""https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html."""

EMULATED: Final = ("/aws/service/global-infrastructure/",)
"""Public parameters that the emulator itself has and that name no AMI."""


class PublicParameters:
    """Methods for the emulator's ``ParameterDict``.

    The public parameters stand beside an account's own: they are found by name and by path, and never listed.
    """

    account_id: str
    region_name: str

    def _check_loading_status(self, key: str) -> None:
        """Load the public parameters that the emulator itself has and that name no AMI."""
        if str(key or "").startswith(EMULATED):
            ORIGINAL["_check_loading_status"](self, key)

    def __getitem__(self, item: str) -> list[Parameter]:
        public = _public(self.region_name).get(item)
        versions: list[Parameter] = ORIGINAL["__getitem__"](self, item) if public is None else [public]
        return versions

    def __contains__(self, k: str) -> bool:
        return k in _public(self.region_name) or bool(ORIGINAL["__contains__"](self, k))

    def get_keys_beginning_with(self, path: str, recursive: bool) -> Iterator[str]:  # noqa: FBT001 - moto's signature
        """Yield the names under ``path``, from a copy: other threads write meanwhile."""
        self._check_loading_status(path)
        names: list[str] = list(dict.keys(self))  # type: ignore[arg-type]
        if path.startswith(PUBLIC):
            names += _public(self.region_name)
        for name in names:
            if path != "/" and not name.startswith(path):
                continue
            if "/" in name[len(path) + 1 :] and not recursive:
                continue
            yield name


@cache
def _public(region: str) -> dict[str, Parameter]:
    """Return the public parameters of ``region`` by name, for every account the same."""
    published = datetime.fromisoformat(catalog.RELEASED).replace(tzinfo=None)
    return {
        name: Parameter(
            account_id="",
            name=name,
            value=image_id,
            parameter_type="String",
            description=None,
            allowed_pattern=None,
            keyid=None,
            last_modified_date=published,
            version=1,
            data_type="aws:ec2:image",
        )
        for name, image_id in catalog.public_parameters(region).items()
    }


class ParameterOperations:
    """Methods for the emulator's ``SimpleSystemManagerBackend``."""

    account_id: str
    region_name: str
    _parameters: Any

    def put_parameter(  # noqa: PLR0917 - moto's signature
        self,
        name: str,
        description: str,
        value: str,
        parameter_type: str,
        allowed_pattern: str,
        keyid: str,
        overwrite: bool,  # noqa: FBT001 - moto's signature
        tags: list[dict[str, str]],
        data_type: str,
        tier: str | None,
        policies: str | None,
    ) -> Parameter:
        """Create or change a parameter.

        A value of data type ``aws:ec2:image`` must be an AMI that the account can see.  The service finds that out
        after it has answered; the sandbox says so at once.
        """
        before = dict.get(self._parameters, name) or []
        if (data_type or (before[-1].data_type if before else "text")) == "aws:ec2:image":
            _check_image(self.region_name, self.account_id, name, value)
        if allowed_pattern and value and not re.search(allowed_pattern, value):
            raise ValidationException(f"Parameter value, {value}, doesn't match the pattern {allowed_pattern}.")
        parameter: Parameter = ORIGINAL["put_parameter"](
            self,
            name=name,
            description=description,
            value=value,
            parameter_type=parameter_type,
            allowed_pattern=allowed_pattern,
            keyid=keyid,
            overwrite=overwrite,
            tags=tags,
            data_type=data_type or (before[-1].data_type if before else "text"),
            tier=tier,
            policies=policies,
        )
        return parameter


def _check_image(region: str, account: str, name: str, value: str) -> None:
    if not AMI_ID.fullmatch(value or ""):
        raise ValidationException(
            f"The value {value!r} of the parameter {name} has not the form of an AMI id, as aws:ec2:image asks"
        )
    try:
        find_image(region, account, value)
    except EC2ClientError as error:
        raise ValidationException(
            f"The parameter {name} was not written: {error.message} in {region} for account {account}"
        ) from error
