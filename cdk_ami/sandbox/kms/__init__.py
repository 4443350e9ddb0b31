"""Who may use a key: key policies and grants, which the emulator keeps and does not weigh.

Beside that, requests reach keys of other accounts whose policies let them, and operations that the emulator does by key
id only take an ARN here too, as those of KMS do.
"""

from __future__ import annotations

from typing import Any, Final

from moto.kms.models import KmsBackend

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.kms import foreign

BY_ID_ONLY: Final = ("cancel_key_deletion", "disable_key", "enable_key", "schedule_key_deletion")
"""Methods of the emulator's that know a key by its bare id."""


def install() -> None:
    """Let the methods take ARNs, and requests reach keys of other accounts."""
    foreign.install()
    for name in BY_ID_ONLY:
        _take_arn(name)


def _take_arn(name: str) -> None:
    def by_any_name(self: Any, key_id: str, *more: Any, **named: Any) -> Any:
        return original(self, self.get_key_id(key_id), *more, **named)

    original = emulator.replace(KmsBackend, name, by_any_name, takes=("key_id",))
