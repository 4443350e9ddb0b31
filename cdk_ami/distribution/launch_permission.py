"""Who besides the owner may launch an AMI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdk_ami.checks import distribution as rules
from cdk_ami.checks.names import account_id
from cdk_ami.errors import Faults


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPermission:
    """Accounts that may launch the AMI where it is, without owning a copy.

    Sharing costs nothing and reaches new accounts of an organization by itself, so it is the better choice wherever the
    AMI does not have to outlive its owner.  An encrypted AMI is of use to others only under a customer managed key
    whose policy lets them in; an account that only shares receives no channel parameter.

    https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_LaunchPermissionConfiguration.html

    Attributes:
        accounts: Account ids, twelve digits each, at most 1,536.  Default: none.
        organizations: ARNs of organizations, at most 25.  Default: none.
        organizational_units: ARNs of organizational units, at most 25.  Default: none.
        public: Whether every AWS account may launch the AMI.  Default: False.  True is a warning,
            ``cdk-ami::PublicImage``, and works with unencrypted volumes only.
    """

    accounts: Sequence[str] = ()
    organizations: Sequence[str] = ()
    organizational_units: Sequence[str] = ()
    public: bool = False

    def __post_init__(self) -> None:
        for name in ("accounts", "organizations", "organizational_units"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def names_others(self) -> bool:
        """Whether anyone is named, as opposed to everyone."""
        return bool(self.accounts or self.organizations or self.organizational_units)

    def find_faults(self, faults: Faults, *, prop: str) -> None:
        """Record in ``faults`` what AWS would refuse, as faults of the property ``prop``."""
        faults.check(prop, rules.permission_names_somebody(int(self.public or self.names_others)))
        for index, account in enumerate(self.accounts):
            faults.check(f"{prop}.accounts[{index}]", account_id(account))
        faults.check(f"{prop}.accounts", rules.account_list(self.accounts))
        faults.check(f"{prop}.organizations", rules.organizations(self.organizations))
        faults.check(f"{prop}.organizational_units", rules.organizational_units(self.organizational_units))

    def to_configuration(self) -> dict[str, object]:
        """Return the launch permission as CloudFormation writes it."""
        rendered: dict[str, object] = {
            "UserIds": list(self.accounts),
            "OrganizationArns": list(self.organizations),
            "OrganizationalUnitArns": list(self.organizational_units),
            "UserGroups": ["all"] if self.public else [],
        }
        return {key: value for key, value in rendered.items() if value}
