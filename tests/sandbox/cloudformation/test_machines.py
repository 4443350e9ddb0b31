"""State machines in stacks, and the rules that start them."""

from __future__ import annotations

import json
from typing import Any

from cdk_ami.sandbox.server import Sandbox
from tests.support.happenings import Happenings
from tests.support.sandbox import MakeClient
from tests.support.stacks import Stacks, resource, trust


def flow(word: str) -> dict[str, Any]:
    definition = {
        "StartAt": "Write",
        "States": {
            "Write": {
                "Type": "Task",
                "Resource": "arn:${Partition}:states:::aws-sdk:ssm:putParameter",
                "Parameters": {"Name": "written", "Type": "String", "Value.$": "$.detail.word", "Overwrite": True},
                "End": True,
            }
        },
    }
    return {
        "MachineRole": resource("IAM::Role", {"AssumeRolePolicyDocument": trust("states.amazonaws.com")}),
        "RuleRole": resource("IAM::Role", {"AssumeRolePolicyDocument": trust("events.amazonaws.com")}),
        "Machine": resource(
            "StepFunctions::StateMachine",
            {
                "RoleArn": {"Fn::GetAtt": ["MachineRole", "Arn"]},
                "DefinitionString": json.dumps(definition),
                "DefinitionSubstitutions": {"Partition": {"Ref": "AWS::Partition"}},
                "Tags": [{"Key": "word", "Value": word}],
            },
        ),
        "Rule": resource(
            "Events::Rule",
            {
                "EventPattern": {"source": ["shop"], "detail": {"word": [word]}},
                "Targets": [
                    {"Id": "it", "Arn": {"Ref": "Machine"}, "RoleArn": {"Fn::GetAtt": ["RuleRole", "Arn"]}},
                ],
            },
        ),
    }


def test_a_rule_and_a_machine_of_a_stack_work_together_and_change(
    stacks: Stacks, aws: MakeClient, sandbox: Sandbox
) -> None:
    it = Happenings(sandbox, aws)
    assert stacks.create("flow", flow("one")) == "CREATE_COMPLETE", stacks.reasons("flow")
    it.put({"word": "one"})
    assert aws("ssm").get_parameter(Name="written")["Parameter"]["Value"] == "one"

    assert stacks.update("flow", flow("two")) == "UPDATE_COMPLETE", stacks.reasons("flow")
    it.put({"word": "one"})
    it.put({"word": "two"})

    assert aws("ssm").get_parameter(Name="written")["Parameter"]["Version"] == 2
    machine = stacks.physical_id("flow", "Machine")
    tags = aws("stepfunctions").list_tags_for_resource(resourceArn=machine)["tags"]
    assert {"key": "word", "value": "two"} in tags
    assert stacks.delete("flow") == "DELETE_COMPLETE", stacks.reasons("flow")
    assert aws("stepfunctions").list_state_machines()["stateMachines"] == []


def test_a_machine_that_could_not_run_fails_its_stack(stacks: Stacks) -> None:
    template = flow("one")
    template["Machine"]["Properties"]["DefinitionString"] = '{"StartAt": "A", "States": {}}'

    assert stacks.create("flow", template) == "ROLLBACK_COMPLETE"

    assert any("States has at least one state" in reason for reason in stacks.reasons("flow"))
