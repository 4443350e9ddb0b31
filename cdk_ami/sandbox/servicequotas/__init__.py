"""Mends of the emulator's Service Quotas: those that the life of AMIs meets, as an account has them at first.

``POST /_sandbox/quotas`` with ``{"service": "ec2", "quota": "AMIs", "value": 10}``, and a ``region`` and an ``account``
where they are not the usual ones, gives an account another value.

https://docs.aws.amazon.com/general/latest/gr/ec2-service.html and
https://docs.aws.amazon.com/general/latest/gr/ebs-service.html, read 2026-11-28
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.models import ServiceQuotasBackend, servicequotas_backends
from moto.servicequotas.responses import ServiceQuotasResponse

from cdk_ami.sandbox import clients, emulator

QUOTAS: Final[Mapping[str, Mapping[str, tuple[str, float]]]] = {
    "ebs": {"Concurrent snapshot copies per destination Region": ("L-SANDBOX1", 20.0)},
    "ec2": {
        "AMIs": ("L-B665C33B", 50_000.0),
        "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances": ("L-1216C47A", 5.0),
    },
}
"""Code and first value of each quota, by service and name.  That of snapshot copies has a code of the sandbox's own."""

_ORIGINAL: Final[dict[str, Any]] = {}


class QuotaOperations:
    """Methods for the emulator's ``ServiceQuotasBackend``."""

    account_id: str
    region_name: str

    def list_aws_default_service_quotas(self, service_code: str) -> list[dict[str, Any]]:
        """Return the quotas of a service as every account has them."""
        if service_code not in QUOTAS:
            found: list[dict[str, Any]] = _ORIGINAL["list_aws_default_service_quotas"](self, service_code)
            return found
        return [
            {
                "ServiceCode": service_code,
                "QuotaCode": code,
                "QuotaName": name,
                "Value": value,
                "Adjustable": True,
                "GlobalQuota": False,
            }
            for name, (code, value) in QUOTAS[service_code].items()
        ]

    def list_service_quotas(self, service_code: str) -> list[dict[str, Any]]:
        """Return the quotas of a service as this account has them."""
        own = getattr(self, "sandbox_values", {})
        return [
            quota | {"Value": own.get((service_code, quota["QuotaName"]), quota["Value"])}
            for quota in self.list_aws_default_service_quotas(service_code)
        ]

    def get_service_quota(self, service_code: str, quota_code: str) -> dict[str, Any]:
        """Return one quota as this account has it."""
        for quota in self.list_service_quotas(service_code):
            if quota["QuotaCode"] == quota_code:
                return quota
        raise NoSuchResource


class QuotaAnswers:
    """Methods that the emulator's ``ServiceQuotasResponse`` lacks."""

    backend: Any
    body: str

    def list_service_quotas(self) -> str:
        """Answer ListServiceQuotas."""
        return json.dumps({"Quotas": self.backend.list_service_quotas(str(json.loads(self.body).get("ServiceCode")))})


def change(method: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Give an account another value of a quota.

    Raises:
        ValueError: When there is no such quota.
    """
    unknown = sorted(set(asked) - {"service", "quota", "value", "region", "account"})
    service, name, value = str(asked.get("service")), str(asked.get("quota")), asked.get("value")
    if method != "POST" or unknown or name not in QUOTAS.get(service, {}) or not isinstance(value, int | float):
        known = "; ".join(f"{service}: {', '.join(names)}" for service, names in QUOTAS.items())
        raise ValueError(f"a quota is changed by POST of service, quota and value, one of {known}, got {dict(asked)!r}")
    account, region = str(asked.get("account") or clients.ACCOUNT), str(asked.get("region") or "us-east-1")
    backend = servicequotas_backends[account][region]
    backend.sandbox_values = {**getattr(backend, "sandbox_values", {}), (service, name): float(value)}
    return {"service": service, "quota": name, "value": float(value), "account": account, "region": region}


def install() -> None:
    """Put the methods into the emulator's classes."""
    _ORIGINAL.update(emulator.graft(ServiceQuotasBackend, QuotaOperations, new=frozenset({"list_service_quotas"})))
    emulator.graft(ServiceQuotasResponse, QuotaAnswers, new=frozenset({"list_service_quotas"}))
