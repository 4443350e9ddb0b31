"""Measures what the examples of the rules over templates notice: the mutation score.

Each module of rules is changed in one place at a time: a comparison turned, ``and`` for ``or``, a condition taken for
true or for false, a number off by one, a key misspelt, a finding dropped.  A change is noticed when something else, or
nothing, is said of an example of the module, or a rule crashes: ``tests/checks/template/test_rules.py`` pins every word
of it.  Texts for people, examples and declarations are left alone.

    python benchmarks/mutate_rules.py [--module NAME] [--survivors] [--every N]
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cdk_ami.checks.template.examples import EXAMPLE_ENVIRONMENT, example_template
from cdk_ami.checks.template.places import Resource, Template
from cdk_ami.checks.template.registry import TEMPLATE_RULES, TemplateRule, all_rules
from cdk_ami.checks.template.types import PARAMETER

Mutation = tuple[int, str, Callable[[ast.AST], None]]
"""Number of the node in the walk of the module, what is done to it, and how."""

Case = tuple[str, list[str], list[Resource]]
"""Id of a rule, what it says of an example, and the resources of the example."""

TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
FOR_PEOPLE = {"problem", "fix", "got", "reason"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--module", help="one module of rules, such as recipes; left out, all of them")
    parser.add_argument("--survivors", action="store_true", help="print each change that nothing notices")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="try each Nth change only, for a quick estimate"
    )
    options = parser.parse_args()
    all_rules()
    names = sorted({rule.module for rule in TEMPLATE_RULES.values()})
    began = time.process_time()
    noticed = total = 0
    print("| module | changes | noticed | score |\n|---|---|---|---|")
    for name in names:
        if options.module in (None, name.rpartition(".")[2]):
            killed, survivors = score(name, every=options.every)
            noticed, total = noticed + killed, total + killed + len(survivors)
            print(row(name.rpartition(".")[2], killed, killed + len(survivors)), flush=True)
            if options.survivors:
                print("\n".join(f"    {survivor}" for survivor in survivors))
    print(row("all", noticed, total))
    print(f"CPU {time.process_time() - began:.0f} s")


def row(name: str, noticed: int, total: int) -> str:
    return f"| {name} | {total} | {noticed} | {100 * noticed / max(1, total):.1f} % |"


def score(name: str, *, every: int) -> tuple[int, list[str]]:
    """Return how many changes of a module are noticed, and those that are not."""
    path = Path(str(importlib.import_module(name).__file__))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    original = {rule_id: rule for rule_id, rule in TEMPLATE_RULES.items() if rule.module == name}
    cases: list[Case] = []
    for rule in original.values():
        for text in (*rule.bad, *rule.good):
            found = list(resources(rule, text))
            cases.append((rule.rule_id, said(rule, found), found))
    if notices(name, copy.deepcopy(tree), path, original, cases):
        raise SystemExit(f"{path.name} is noticed without a change: its examples do not pass here")
    killed, survivors = 0, []
    for number, what, change in list(mutations(tree))[::every]:
        changed = copy.deepcopy(tree)
        node = list(ast.walk(changed))[number]
        change(node)
        if notices(name, changed, path, original, cases):
            killed += 1
        else:
            survivors.append(f"{path.name}:{getattr(node, 'lineno', '?')} {what}")
    TEMPLATE_RULES.update(original)
    return killed, survivors


def said(rule: TemplateRule, found: list[Resource]) -> list[str]:
    """Return what a rule says of resources."""
    return [str(problem[:4]) for it in found for problem in rule.check(it)]


def resources(rule: TemplateRule, text: str) -> Iterator[Resource]:
    template = Template(example_template(rule, text), EXAMPLE_ENVIRONMENT)
    for name, declared in dict(template.body.get("Parameters") or {}).items():
        if PARAMETER in rule.types:
            yield Resource(name, {"Type": PARAMETER, "Properties": declared}, template)
    yield from (found for found in template.resources.values() if found.type in rule.types)


def notices(
    name: str,
    tree: ast.Module,
    path: Path,
    original: dict[str, TemplateRule],
    cases: list[Case],
) -> bool:
    for rule_id in original:
        TEMPLATE_RULES.pop(rule_id, None)
    module = types.ModuleType(name)
    module.__file__ = str(path)
    kept = sys.modules[name]
    sys.modules[name] = module
    try:
        exec(compile(ast.fix_missing_locations(tree), str(path), "exec"), module.__dict__)  # noqa: S102 - our own modules
        for rule_id, wanted, found in cases:
            rule = TEMPLATE_RULES[rule_id]
            if said(rule, found) != wanted:
                return True
    except Exception:  # noqa: BLE001 - a crash is what a test would notice too
        return True
    finally:
        sys.modules[name] = kept
    return False


def mutations(tree: ast.Module) -> Iterator[Mutation]:
    """Yield every change of the functions of a module."""
    inside = set()
    spared = set()
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        for statement in function.body:
            inside |= {id(node) for node in ast.walk(statement)}
        for decorator in function.decorator_list:
            spared |= {id(node) for node in ast.walk(decorator)}
        if ast.get_docstring(function):
            spared |= {id(node) for node in ast.walk(function.body[0])}
        # Helpers that only write examples begin with an underscore and return a text.
        if isinstance(function.returns, ast.Name) and function.returns.id == "str":
            spared |= {id(node) for node in ast.walk(function)}
    for node in ast.walk(tree):
        spared |= {id(each) for text in texts_for_people(node) for each in ast.walk(text)}
        if isinstance(node, ast.AnnAssign):
            spared |= {id(each) for each in ast.walk(node.annotation)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in inside and id(node) not in spared:
            yield from ((number, what, change) for what, change in changes(node))


def texts_for_people(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        yield from (keyword.value for keyword in node.keywords if keyword.arg in FOR_PEOPLE)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "problem":
            yield from node.args
        if isinstance(node.func, ast.Name) and node.func.id in {"template_rule", "bind"}:
            yield node
    if isinstance(node, ast.Assign) and any(isinstance(name, ast.Name) and name.id == "fix" for name in node.targets):
        yield node.value


def changes(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            if type(operator) in TURNED:
                yield f"turns {type(operator).__name__}", turned(index)
    elif isinstance(node, ast.BoolOp):
        yield "and for or", swapped
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "drops not", unnegated
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "takes a condition for true", decided(answer=True)
        yield "takes a condition for false", decided(answer=False)
    elif isinstance(node, ast.Constant):
        yield from constants(node)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield | ast.YieldFrom):
        yield "drops a finding", silenced
    elif isinstance(node, ast.Continue):
        yield "ends a loop", broken


def constants(node: ast.Constant) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    if isinstance(node.value, bool):
        yield f"{not node.value} for {node.value}", valued(not node.value)
    elif isinstance(node.value, int):
        yield f"{node.value + 1} for {node.value}", valued(node.value + 1)
    elif isinstance(node.value, str) and node.value:
        yield f"misspells {node.value[:30]!r}", valued(f"{node.value}XX")


def turned(index: int) -> Callable[[ast.AST], None]:
    def change(node: Any) -> None:
        node.ops[index] = TURNED[type(node.ops[index])]()

    return change


def decided(*, answer: bool) -> Callable[[ast.AST], None]:
    def change(node: Any) -> None:
        node.test = ast.Constant(value=answer)

    return change


def valued(value: object) -> Callable[[ast.AST], None]:
    def change(node: Any) -> None:
        node.value = value

    return change


def swapped(node: Any) -> None:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def unnegated(node: Any) -> None:
    # What is left says the same, and the truth of it is what counts.
    node.op = ast.Not()
    node.operand = ast.UnaryOp(op=ast.Not(), operand=node.operand)


def silenced(node: Any) -> None:
    node.value = ast.Constant(value=None)
    # The function stays a generator.
    node.value = ast.IfExp(test=ast.Constant(value=False), body=ast.Yield(value=None), orelse=ast.Constant(value=None))


def broken(node: Any) -> None:
    node.__class__ = ast.Break


if __name__ == "__main__":
    main()
