"""What one can ask of the sandbox's Image Builder beside its API.

``POST /_sandbox/imagebuilder/findings`` with ``{"image": NAME, "findings": [{"severity": "HIGH", "fix": "YES",
"vulnerability": ID, "package": NAME, "version": TEXT, "title": TEXT}]}`` says what every scan finds from now on: in the
images of one name, or in all without it.  An empty list takes back what was said of that name.
It is for one ``account`` and ``region``.  ``POST /_sandbox/imagebuilder/lifecycle`` with ``{"policy": ARN}`` runs a
lifecycle policy now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk_ami.naming import normalized
from cdk_ami.sandbox import clients
from cdk_ami.sandbox.imagebuilder import arns, findings
from cdk_ami.sandbox.imagebuilder.engine import lifecycles
from cdk_ami.sandbox.imagebuilder.models import REGIONS, ImageBuilderBackend, imagebuilder_backends


def plant_findings(method: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Plant findings, and answer with how many are planted.

    Raises:
        ValueError: When the request cannot be followed.
    """
    _check(method, asked, "image", "findings", "account", "region")
    backend = _backend(asked)
    image = normalized(str(asked.get("image") or ""))
    listed = asked.get("findings")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ValueError(f"findings is a list of objects, got {listed!r}")
    planted = [findings.plant(one, image=image) for one in listed]
    with backend.lock:
        others = [found for found in backend.planted if planted or found.image != image]
        backend.planted = [*others, *planted]
        return {"planted": len(backend.planted)}


def run_lifecycle(method: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Run a lifecycle policy now, and answer with the id of its execution and how it ended.

    Raises:
        ValueError: When there is no such policy.
    """
    _check(method, asked, "policy")
    found = arns.parse(str(asked.get("policy")))
    if found is None or found.kind != "lifecycle-policy":
        raise ValueError(f"policy is the ARN of a lifecycle policy, got {asked.get('policy')!r}")
    backend = _backend({"account": found.account, "region": found.region})
    policy = backend.resolve(str(found))
    if policy is None:
        raise ValueError(f"there is no lifecycle policy {found}")
    shown = lifecycles.run_policy(backend, policy).shown
    return {"execution": shown["lifecycleExecutionId"], "status": shown["state"]["status"]}


def _check(method: str, asked: Mapping[str, Any], *names: str) -> None:
    if method != "POST":
        raise ValueError(f"the request is a POST, got {method}")
    if unknown := sorted(set(asked) - set(names)):
        raise ValueError(f"the request takes {', '.join(names)}, got {unknown}")


def _backend(asked: Mapping[str, Any]) -> ImageBuilderBackend:
    region = asked.get("region") or "us-east-1"
    if region not in REGIONS:
        raise ValueError(f"there is no Region {region!r}")
    found: ImageBuilderBackend = imagebuilder_backends[str(asked.get("account") or clients.ACCOUNT)][region]
    return found
