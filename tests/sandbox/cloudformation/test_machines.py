"""State machines, rules, buses and schedules in stacks."""

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


def test_a_bus_with_an_archive_and_a_rule_of_its_own_changes_and_goes_away(
    stacks: Stacks, aws: MakeClient, sandbox: Sandbox
) -> None:
    it = Happenings(sandbox, aws)
    queue = it.queue()

    def bus(source: str) -> dict[str, Any]:
        target = [{"Id": "it", "Arn": queue, "InputPath": "$.detail"}]
        pattern = {"source": [source]}
        return {
            "Bus": resource("Events::EventBus", {"Name": "central", "Tags": [{"Key": "source", "Value": source}]}),
            "Archive": resource(
                "Events::Archive",
                {"SourceArn": {"Fn::GetAtt": ["Bus", "Arn"]}, "EventPattern": pattern, "RetentionDays": 7},
            ),
            "Rule": resource(
                "Events::Rule", {"EventBusName": {"Ref": "Bus"}, "EventPattern": pattern, "Targets": target}
            ),
        }

    assert stacks.create("bus", bus("shop")) == "CREATE_COMPLETE", stacks.reasons("bus")
    it.put({"n": 1}, EventBusName="central")
    assert stacks.update("bus", bus("other")) == "UPDATE_COMPLETE", stacks.reasons("bus")
    for _ in range(2):
        it.put({"n": 2}, EventBusName="central")
    it.put({"n": 3}, EventBusName="central", Source="other")

    assert it.heard() == [{"n": 1}, {"n": 3}]
    archive = aws("events").describe_archive(ArchiveName=stacks.physical_id("bus", "Archive"))
    assert (archive["EventCount"], json.loads(archive["EventPattern"])) == (2, {"source": ["other"]})
    assert stacks.delete("bus") == "DELETE_COMPLETE", stacks.reasons("bus")
    assert [found["Name"] for found in aws("events").list_event_buses()["EventBuses"]] == ["default"]


def test_a_schedule_of_a_stack_fires(stacks: Stacks, aws: MakeClient, sandbox: Sandbox) -> None:
    it = Happenings(sandbox, aws)
    queue = it.queue()

    def schedule(rate: str) -> dict[str, Any]:
        return {
            "Role": resource("IAM::Role", {"AssumeRolePolicyDocument": trust("scheduler.amazonaws.com")}),
            "Group": resource("Scheduler::ScheduleGroup", {"Tags": [{"Key": "rate", "Value": rate}]}),
            "Schedule": resource(
                "Scheduler::Schedule",
                {
                    "GroupName": {"Ref": "Group"},
                    "ScheduleExpression": rate,
                    "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
                    "Target": {"Arn": queue, "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "Input": json.dumps(rate)},
                },
            ),
        }

    assert stacks.create("s", schedule("rate(1 hour)")) == "CREATE_COMPLETE", stacks.reasons("s")
    it.advance(3601)
    assert stacks.update("s", schedule("rate(2 hours)")) == "UPDATE_COMPLETE", stacks.reasons("s")
    it.advance(2 * 3600 + 1)

    assert it.heard() == ["rate(1 hour)", "rate(2 hours)"]
    assert stacks.delete("s") == "DELETE_COMPLETE", stacks.reasons("s")
    assert aws("scheduler").list_schedules()["Schedules"] == []


def test_a_bus_opens_itself_to_another_account_and_a_log_group_to_rules(
    stacks: Stacks, aws: MakeClient, sandbox: Sandbox
) -> None:
    it = Happenings(sandbox, aws)
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/events"
    statement = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
    policy = {"Statement": [{**statement, "Principal": {"Service": "events.amazonaws.com"}}]}
    template = {
        "Open": resource(
            "Events::EventBusPolicy", {"StatementId": "in", "Action": "events:PutEvents", "Principal": "210987654321"}
        ),
        "Group": resource("Logs::LogGroup", {"LogGroupName": "/events"}),
        "Write": resource("Logs::ResourcePolicy", {"PolicyName": "write", "PolicyDocument": json.dumps(policy)}),
        "Rule": resource(
            "Events::Rule", {"EventPattern": {"source": ["shop"]}, "Targets": [{"Id": "it", "Arn": group}]}
        ),
    }
    far = aws("events", account="210987654321")
    far.put_rule(Name="rule", EventPattern=json.dumps({"source": ["shop"]}))
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/default"
    far.put_targets(Rule="rule", Targets=[{"Id": "it", "Arn": bus}])
    assert stacks.create("open", template) == "CREATE_COMPLETE", stacks.reasons("open")

    far.put_events(Entries=[{"Source": "shop", "DetailType": "sold", "Detail": "{}"}])
    it.settle()

    [written] = aws("logs").filter_log_events(logGroupName="/events")["events"]
    assert json.loads(written["message"])["account"] == "210987654321"
    assert stacks.delete("open") == "DELETE_COMPLETE", stacks.reasons("open")
    assert "Policy" not in aws("events").describe_event_bus(Name="default")
