"""The order of resources: what depends on what, sorted the same way every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdk_ami.sandbox.cloudformation.errors import CloudFormationError
from cdk_ami.sandbox.cloudformation.intrinsics import references
from cdk_ami.sandbox.cloudformation.template import Resource


def dependencies(resources: Mapping[str, Resource]) -> dict[str, tuple[str, ...]]:
    """Return for each logical id the logical ids it waits for, from ``DependsOn`` and from its references."""
    found: dict[str, tuple[str, ...]] = {}
    for name, resource in resources.items():
        named = dict.fromkeys(resource.depends_on)
        named |= dict.fromkeys(reference for reference, _ in references([resource.properties, resource.update_policy]))
        found[name] = tuple(other for other in named if other in resources and other != name)
    return found


def topological(waits_for: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names so that each follows what it waits for; independent ones keep the given order.

    Raises:
        CloudFormationError: When they wait for each other in a circle.
    """
    order: list[str] = []
    state: dict[str, bool] = {}
    for root in waits_for:
        if root in state:
            continue
        path = [(root, iter(waits_for[root]))]
        state[root] = False
        while path:
            name, others = path[-1]
            for other in others:
                if other not in state:
                    state[other] = False
                    path.append((other, iter(waits_for.get(other, ()))))
                    break
                if not state[other]:
                    circle = ", ".join(sorted(name for name, _ in path))
                    raise CloudFormationError(f"Circular dependency between resources: [{circle}]")
            else:
                state[name] = True
                order.append(name)
                path.pop()
    return order
