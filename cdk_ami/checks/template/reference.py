"""The page of all rules over templates, `docs/reference/checks.md`.

Written by ``python -m cdk_ami.checks.template.reference > docs/reference/checks.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from cdk_ami.checks.template.registry import Family, TemplateRule, all_rules

_HEAD: Final = """\
# Checks

What `cdk-ami check` and `AmiChecks` find in a template, whoever wrote it:
[how to use them](../how-to/check-templates.md). Each rule has a stable id, a page that says so, and examples that are
its own tests. Functions of the template are evaluated as far as they can be; what only the deployment knows is never a
finding. A rule that a construct calls as well is [the same rule](rules.md).

Written by `python -m cdk_ami.checks.template.reference`.
"""
_FAMILIES: Final = {
    Family.FAILS: "Would fail",
    Family.LEAKS: "Leaks",
    Family.COSTS: "Costs or rots",
    Family.DRIFTS: "Drifts",
}
_LONGEST: Final = 500
"""Characters of an example that a reader still reads."""


def checks_page() -> str:
    """Return the page as Markdown: a heading for each rule, by family and name."""
    return "\n".join([_HEAD, *_index(), *(text for family in Family for text in _family(family))])


def _of(family: Family) -> list[TemplateRule]:
    return sorted((rule for rule in all_rules().values() if rule.family == family), key=lambda rule: rule.rule_id)


def _index() -> Iterator[str]:
    yield "| family | rules |\n|---|---|"
    for family, title in _FAMILIES.items():
        links = (f"[{_name(rule)}](#{_name(rule).lower()})" for rule in _of(family))
        yield f"| {title} | {', '.join(links)} |"
    yield ""


def _family(family: Family) -> Iterator[str]:
    yield f"## {_FAMILIES[family]}\n"
    for rule in _of(family):
        types = ", ".join(f"`{kind}`" for kind in rule.types)
        yield f"### {_name(rule)}\n"
        yield f"`{rule.rule_id}`, {rule.severity}, on {types}.\n"
        yield f"{rule.about} {rule.why} [AWS]({rule.source})\n"
        for title, examples in (("Found", rule.bad), ("Not found", rule.good)):
            shown = next((text.strip("\n") for text in examples if len(text) <= _LONGEST), None)
            if shown is not None:
                yield f"{title}:\n\n```yaml\n{shown}\n```\n"


def _name(rule: TemplateRule) -> str:
    return rule.rule_id.removeprefix("cdk-ami::")


if __name__ == "__main__":
    sys.stdout.write(checks_page())
