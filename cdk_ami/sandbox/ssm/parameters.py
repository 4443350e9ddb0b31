"""Parameters that hold AMI ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from typing import Any, Final

from moto.ssm.exceptions import AccessDeniedException, ParameterVersionNotFound, ValidationException
from moto.ssm.models import Parameter

from cdk_ami.sandbox import catalog
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ssm import checks, sharing, writers
from cdk_ami.sandbox.ssm.changes import tell

ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
"""The emulator's own methods, by name."""

PUBLIC: Final = "/aws/service"
"""Where the parameters of AWS and its partners stand.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
"""

STANDARD_BYTES: Final = 4096
ADVANCED_BYTES: Final = 8192
"""How long a value may be in either tier.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
"""

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


NEW: Final = frozenset({"_sweep", "_forget_tags"})
"""Methods that the emulator lacks."""


class ParameterOperations:
    """Methods for the emulator's ``SimpleSystemManagerBackend``."""

    account_id: str
    region_name: str
    _parameters: Any
    _resource_tags: Any

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

        A value of data type ``aws:ec2:image`` is answered like any other and stands after it has been checked.
        """
        before = dict.get(self._parameters, name) or []
        kind = data_type or (before[-1].data_type if before else "text")
        tier = _tier(value or "", tier, policies, before[-1].tier if before else None)
        if kind == "aws:ec2:image" and (parameter_type or (before[-1].parameter_type if before else "")) != "String":
            raise ValidationException(f"The data type {kind} is supported for parameters of type String only.")
        if allowed_pattern and value and not re.search(allowed_pattern, value):
            raise ValidationException(f"Parameter value, {value}, doesn't match the pattern {allowed_pattern}.")
        try:
            made: Parameter = ORIGINAL["put_parameter"](
                self,
                name=name,
                description=description,
                value=value,
                parameter_type=parameter_type,
                allowed_pattern=allowed_pattern,
                keyid=keyid,
                overwrite=overwrite,
                tags=tags,
                data_type=kind,
                tier=tier,
                policies=policies,
            )
        finally:
            self._sweep(name)
        made.last_modified_date = CLOCK.now().replace(tzinfo=None)
        writers.sign(made)
        if kind != "aws:ec2:image":
            tell(made, "Update" if before else "Create", region=self.region_name)
            return made
        self._parameters[name].remove(made)
        self._sweep(name)
        made.version += checks.waiting(self.account_id, self.region_name, name)
        checks.check_later(
            self,
            made,
            overwrite=overwrite,
            stand=lambda: self._parameters[name].append(made),
            drop=lambda: None if name in self._parameters else self._forget_tags(name),
        )
        return made

    def _sweep(self, name: str) -> None:
        """Remove the empty list that the emulator leaves where there is no parameter."""
        if not dict.get(self._parameters, name, True):
            dict.pop(self._parameters, name)

    def _forget_tags(self, name: str) -> None:
        self._resource_tags.get("Parameter", {}).pop(name, None)

    def delete_parameter(self, name: str) -> None:
        """Delete a parameter and tell it."""
        found = self.get_parameter(name)
        ORIGINAL["delete_parameter"](self, name)
        if found is not None:
            tell(found, "Delete", region=self.region_name)

    def delete_parameters(self, names: list[str]) -> list[str]:
        """Delete parameters and tell each."""
        found = {name: self.get_parameter(name) for name in names}
        gone: list[str] = ORIGINAL["delete_parameters"](self, names)
        for name in gone:
            tell(found[name], "Delete", region=self.region_name)
        return gone

    def label_parameter_version(self, name: str, version: int, labels: list[str]) -> tuple[list[str], int]:
        """Label a version of a parameter and tell it."""
        try:
            answer: tuple[list[str], int] = ORIGINAL["label_parameter_version"](self, name, version, labels)
        finally:
            self._sweep(name)
        if len(answer[0]) < len(labels):
            tell(self._parameters[name][-1], "LabelParameterVersion", region=self.region_name)
        return answer

    def get_parameter(self, name: str) -> Parameter | None:
        """Return a parameter by its name, or by the ARN under which another account shares it."""
        shared = sharing.parse(name)
        if shared is None:
            found: Parameter | None = ORIGINAL["get_parameter"](self, name)
            return found
        if shared.region != self.region_name:
            raise ValidationException(f"The ARN {name} is of another Region than {self.region_name}.")
        if shared.account == self.account_id:
            selector = f":{shared.selector}" if shared.selector else ""
            return self.get_parameter(f"{shared.name}{selector}")
        other = sharing.read(shared, reader=self.account_id)
        if other is None:
            raise AccessDeniedException(
                f"User: arn:aws:iam::{self.account_id}:root is not authorized to perform: ssm:GetParameter on "
                f"resource: {name} because no resource-based policy allows the ssm:GetParameter action"
            )
        return other

    def get_parameters(self, names: list[str]) -> dict[str, Parameter]:
        """Return parameters by names or ARNs; what may not be read is left out."""
        found: dict[str, Parameter] = ORIGINAL["get_parameters"](
            self, [name for name in names if sharing.parse(name) is None]
        )
        for name in names:
            if sharing.parse(name) is not None:
                try:
                    parameter = self.get_parameter(name)
                except (AccessDeniedException, ParameterVersionNotFound):
                    continue
                if parameter is not None:
                    found[name] = parameter
        return found


def _tier(value: str, tier: str | None, policies: str | None, before: str | None) -> str | None:
    """Return the tier that a parameter gets."""
    needs = len(value.encode()) > STANDARD_BYTES or bool(policies)
    if tier == "Intelligent-Tiering":
        return "Advanced" if needs or before == "Advanced" else "Standard"
    if tier == "Standard" and before == "Advanced":
        raise ValidationException(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the "
            "advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced "
            "parameter and recreate it as a standard parameter."
        )
    if needs and (tier or before or "Standard") == "Standard":
        what = "parameter policies" if policies else f"a parameter value of more than {STANDARD_BYTES} characters"
        raise ValidationException(
            f"Standard tier parameters do not support {what}. Upgrade the parameter to use the advanced-parameter tier."
        )
    if len(value.encode()) > ADVANCED_BYTES:
        raise ValidationException(
            f"Advanced tier parameters support a maximum parameter value of {ADVANCED_BYTES} characters."
        )
    return tier
