"""The page of all rules, `docs/reference/rules.md`.

Written by ``python -m cdk_ami.checks.reference > docs/reference/rules.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from cdk_ami import checks
from cdk_ami.checks.rule import RULES, Rule

_HEAD: Final = """\
# Rules

What is refused while the template is being built, each with the page that says so. An error names the construct, the
property, the value and the fix; all faults of one call come at once. What only the deployment knows, a CDK token, is
never judged by a rule. `UnknownAction`, `UnknownKey` and `SecretInDocument` [warn](warnings.md) instead: the service
may know more, and what looks like a secret may be none.

Written by `python -m cdk_ami.checks.reference`.
"""


def rules_page() -> str:
    """Return the page as Markdown: a table for each module, in the order of the modules' names."""
    return "\n".join([_HEAD, *_sections()])


def rules_by_module() -> dict[str, list[Rule]]:
    """Return the rules of each module of ``cdk_ami.checks`` that has any, in the order of definition."""
    found: dict[str, list[Rule]] = {}
    for name in sorted(f"{checks.__name__}.{module.name}" for module in iter_modules(checks.__path__)):
        if name != __spec__.name:
            import_module(name)
        found[name] = [rule for rule in RULES.values() if rule.module == name]
    return {name: rules for name, rules in found.items() if rules}


def _sections() -> Iterator[str]:
    for name, rules in rules_by_module().items():
        about = (import_module(name).__doc__ or "").partition("\n")[0].rstrip(".")
        rows = (f"| `{rule.rule_id}` | {rule.about.replace('|', '&#124;')} | [AWS]({rule.source}) |" for rule in rules)
        yield "\n".join([f"## {about.partition(':')[0]}", "", "| id | rule | source |", "|---|---|---|", *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(rules_page())
