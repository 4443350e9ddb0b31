"""The page of all action modules, `docs/reference/actions.md`.

Written by ``python -m cdk_ami.recipe.reference > docs/reference/actions.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cdk_ami.checks.documents import actions, operators

_HEAD: Final = """\
# Actions of a component

What a step of a component document can do, on which systems, with which inputs, and what it leaves for later steps. In
YAML a step names the action; in Python each action is a class of `cdk_ami.recipe.actions`, its inputs are fields in
`snake_case`. Where inputs are a list, a step takes several. An input that is left out gets the service's default.
Actions that are missing here are let through with a [warning](warnings.md#cdk-amiunknownaction): the service may know
more.

Written by `python -m cdk_ami.recipe.reference` from `cdk_ami/recipe/component.schema.json`, which was written from
[AWS's action modules](https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html).
"""

_STEPS: Final = """\
## Steps

| key | meaning |
|---|---|
| `name` | Name of the step, once in its phase. |
| `action` | What it does: one of the actions below. |
| `inputs` | What the action is given. |
| `if` | A [condition](#conditions). The step runs when it holds, unless `then` and `else` say otherwise. |
| `loop` | What the step is [repeated](#loops) for. |
| `timeoutSeconds` | Seconds that it may take, 7,200 by default; -1 for no limit. |
| `onFailure` | `Abort` (by default), `Continue`: the document has failed, but goes on, or `Ignore`. |
| `maxAttempts` | How often it is tried, once by default. |

A later step uses what an earlier one was given or leaves: `{{ build.Fetch.inputs[0].destination }}`,
`{{ build.Run.outputs.stdout }}`. Parameters and constants stand by their names: `{{ Port }}`.

## Loops

A loop is a `for` with `start`, `end` and `updateBy`, or a `forEach` with a list of texts, or a `forEach` with one text
under `list` and the character that parts it under `delimiter`, by default a comma. `{{ loop.value }}` and
`{{ loop.index }}`, counted from 0, stand in the step's inputs; a loop with a `name` can be called by it.
"""

_CONDITIONS: Final = """\
## Conditions

A condition is one operator with its value; `and` and `or` take a list of conditions, `not` takes one. Where an operator
compares, `value` holds the other side: `{numberLessThan: 3, value: '{{ build.Count.outputs.stdout }}'}` holds for 2.
`Assert` takes a condition as its inputs. `then` and `else` beside it are `Execute`, `Skip` or `Abort`.

| operator | beside it | holds when |
|---|---|---|
"""


def actions_page() -> str:
    """Return the page as Markdown: steps, conditions, then a section for each action by name."""
    known = actions()
    return "\n".join(
        [_HEAD, _STEPS, _CONDITIONS + "\n".join(_operators()) + "\n", *map(_section, known, known.values())]
    )


def _operators() -> Iterator[str]:
    for name, operator in operators().items():
        other = f"`{operator['x-other']}`" if "x-other" in operator else ""
        yield f"| `{name}` | {other} | {operator['description']} |"


def _section(name: str, action: Mapping[str, Any]) -> str:
    shape = action.get("items", action)
    required = shape.get("required", ())
    rows = [
        f"| `{key}` | {'yes' if key in required else 'no'} | {_cell(about['description'])} |"
        for key, about in shape.get("properties", {}).items()
    ]
    table = ["| input | required | meaning |", "|---|---|---|", *rows, ""] if rows else []
    leaves = ", ".join(f"`{output}`" for output in action["x-outputs"])
    inputs = "a list" if action["type"] == "array" else "one mapping"
    facts = (
        f"**On** {' and '.join(action['x-platforms'])}. "
        f"**Inputs:** {inputs}{'' if action['x-inputs-required'] else ', may be left out'}. "
        f"**Leaves** {leaves or 'nothing'}. [AWS]({action['$comment']})"
    )
    return "\n".join([f"## {name}", "", action["description"], "", facts, "", *table])


def _cell(text: str) -> str:
    return text.replace("|", "&#124;")


if __name__ == "__main__":
    sys.stdout.write(actions_page())
