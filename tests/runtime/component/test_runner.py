from __future__ import annotations

import os
import time
from importlib import import_module
from pathlib import Path
from threading import Event, Timer

import pytest

from cdk_ami.checks.documents import actions
from cdk_ami.errors import ConfigError
from cdk_ami.runtime.component.actions import ACTIONS
from cdk_ami.runtime.component.outcome import Status
from cdk_ami.runtime.component.process import RunStoppedError
from tests.runtime.component.conftest import Bench, bash


def statuses(outcome: object) -> list[str]:
    return [step.status.value for step in outcome.steps]  # type: ignore[attr-defined]  # an outcome


def test_commands_are_one_bash_script_whose_last_exit_code_counts(bench: Bench) -> None:
    step = bench.act("ExecuteBash", {"commands": ["NAME=x", "false", "[[ $NAME = x ]] && echo $NAME"]})

    assert (step.status, step.outputs) == (Status.SUCCESS, ({"stdout": "x"},))


def test_lines_are_heard_as_they_come_with_their_stream(bench: Bench) -> None:
    bench.run(bash("echo out; echo err >&2", "printf 'no line break'"))

    assert sorted(bench.heard.lines) == [("stderr", "err"), ("stdout", "no line break"), ("stdout", "out")]
    assert bench.heard.steps == ["build/Step1 ExecuteBash"]


def test_a_failed_step_tells_its_exit_code_and_its_last_words(bench: Bench) -> None:
    step = bench.act("ExecuteBash", {"commands": ["echo trying", "echo 'no such package' >&2", "exit 3"]})

    assert (step.status, step.message) == (Status.FAILED, "exit code 3: no such package")
    assert sorted(step.lines) == ["no such package", "trying"]


def test_a_script_reads_nothing_and_knows_nothing_of_this_machines_environment(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKED", "yes")

    step = bench.act("ExecuteBash", {"commands": ["cat", "echo ${LEAKED:-clean} $PWD"]})

    assert step.outputs == ({"stdout": "clean /tmp"},)


def test_a_binary_gets_its_arguments_as_they_are(bench: Bench) -> None:
    step = bench.act("ExecuteBinary", {"path": "/usr/bin/printf", "arguments": ["%s|", "a b", "$HOME", 7]})

    assert step.outputs == ({"stdout": "a b|$HOME|7|"},)


def test_a_binary_that_is_not_there_fails(bench: Bench) -> None:
    step = bench.act("ExecuteBinary", {"path": "/nowhere/installer"})

    assert step.status is Status.FAILED
    assert step.message.startswith("exit code 127: ")


def test_steps_chain_parameters_and_constants(bench: Bench) -> None:
    variables = {
        "parameters": [{"Who": {"type": "string", "default": "you"}}],
        "constants": [{"Punctuation": {"type": "string", "value": "!"}}],
    }
    outcome = bench.run(
        bash("echo hello {{ Who }}", name="Greet"),
        bash("echo '{{ build.Greet.outputs.stdout }}{{ Punctuation }}'"),
        more=variables,
        parameters={"Who": "world"},
    )

    assert outcome.steps[1].outputs == ({"stdout": "hello world!"},)


def test_inputs_can_be_chained_from_a_phase_that_does_not_run(bench: Bench) -> None:
    outcome = bench.run_phases(
        {
            "build": [{"name": "Write", "action": "CreateFile", "inputs": [{"path": "/nowhere/{{ Name }}"}]}],
            "test": [bash("echo {{ build.Write.inputs[0].path }}", name="Tell")],
        },
        more={"parameters": [{"Name": {"type": "string", "default": "file"}}]},
        phases=["test"],
    )

    assert outcome.steps[0].outputs == ({"stdout": "/nowhere/file"},)


def test_a_chain_to_a_skipped_step_fails_the_step_that_chains(bench: Bench) -> None:
    outcome = bench.run(
        bash("echo x", name="Skipped", **{"if": {"fileExists": "/nowhere"}}),
        bash("echo {{ build.Skipped.outputs.stdout }}"),
    )

    assert statuses(outcome) == ["skipped", "failed"]
    assert "names the step Skipped of phase build, which has not run" in outcome.steps[1].message


@pytest.mark.parametrize(
    ("on_failure", "expected", "document"),
    [
        ("Abort", ["failed", "not run", "not run"], "failed"),
        ("Continue", ["failed", "success", "not run"], "failed"),
        ("Ignore", ["failure ignored", "success", "success"], "success with ignored failure"),
    ],
)
def test_a_failure_does_what_its_step_says(bench: Bench, on_failure: str, expected: list[str], document: str) -> None:
    outcome = bench.run_phases(
        {
            "build": [bash("exit 1", name="Bad", onFailure=on_failure), bash("true", name="Next")],
            "validate": [bash("true", name="Last")],
        }
    )

    assert statuses(outcome) == expected
    assert outcome.status == document
    assert [step.status.value for step in bench.heard.ended] == expected


def test_a_step_is_tried_as_often_as_it_says(bench: Bench, here: Path) -> None:
    outcome = bench.run(bash(f"echo x >> {here}/tries", f"[ $(wc -l < {here}/tries) = 3 ]", maxAttempts=4))

    (step,) = outcome.steps
    assert (step.status, step.attempts) == (Status.SUCCESS, 3)
    assert ("note", "attempt 2 of 4 failed: exit code 1") in bench.heard.lines


def test_a_step_that_never_works_fails_after_its_last_try(bench: Bench) -> None:
    step = bench.act("ExecuteBash", {"commands": ["exit 9"]}, maxAttempts=2)

    assert (step.status, step.attempts, step.message) == (Status.FAILED, 2, "exit code 9")


def test_a_step_that_takes_too_long_is_ended_with_all_its_children(bench: Bench, here: Path) -> None:
    step = bench.act(
        "ExecuteBash", {"commands": [f"sleep 300 & echo $! > {here}/child", "sleep 300"]}, timeoutSeconds=1
    )

    assert (step.status, step.message) == (Status.FAILED, "it took longer than its 1 s, and was ended")
    assert step.seconds < 30
    with pytest.raises(ProcessLookupError):
        _wait_gone(int((here / "child").read_text()))


def _wait_gone(pid: int) -> None:
    for _ in range(100):
        os.kill(pid, 0)
        # A killed orphan stays until the first process of the machine has taken notice.
        if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            raise ProcessLookupError
        time.sleep(0.05)


def test_a_step_may_leave_something_running_without_being_held_up(bench: Bench) -> None:
    step = bench.act("ExecuteBash", {"commands": ["sleep 5 &", "echo started; kill $!"]})
    quick = bench.act("ExecuteBash", {"commands": ["sleep 8 & echo started"]})

    assert step.status is Status.SUCCESS
    assert quick.outputs == ({"stdout": "started"},)
    assert quick.seconds < 7


def test_a_loop_runs_its_step_for_each_value_and_joins_what_they_leave(bench: Bench) -> None:
    outcome = bench.run(
        bash("echo {{ loop.index }} {{ Names.value }}", name="Each", loop={"name": "Names", "forEach": ["a", "b"]}),
        bash("echo '{{ build.Each.outputs.stdout }}'"),
    )

    assert outcome.steps[0].outputs == ({"stdout": "0 a\n1 b"},)
    assert outcome.steps[1].outputs == ({"stdout": "0 a\n1 b"},)


def test_a_loop_stops_at_the_round_that_fails_and_begins_anew_when_tried_again(bench: Bench, here: Path) -> None:
    outcome = bench.run(
        bash(
            f"echo {{{{ loop.value }}}} >> {here}/rounds",
            "[ {{ loop.value }} != 2 ]",
            loop={"for": {"start": 1, "end": 3, "updateBy": 1}},
            maxAttempts=2,
        )
    )

    assert outcome.steps[0].message == "round 1: exit code 1"
    assert (here / "rounds").read_text().split() == ["1", "2", "1", "2"]


def test_all_rounds_of_a_loop_share_one_time_limit(bench: Bench) -> None:
    step = bench.act(
        "ExecuteBash",
        {"commands": ["sleep 0.4"]},
        loop={"for": {"start": 1, "end": 50, "updateBy": 1}},
        timeoutSeconds=1,
    )

    assert (step.status, step.message) == (Status.FAILED, "the loop took longer than its 1 s, and was ended")


def test_a_condition_skips_runs_or_fails_its_step(bench: Bench, here: Path) -> None:
    (here / "there").touch()
    there = {"fileExists": f"{here}/there"}

    outcome = bench.run(
        bash("echo 1", **{"if": there}),
        bash("echo 2", **{"if": {"not": there}}),
        bash("echo 3", onFailure="Ignore", **{"if": {**there, "then": "Abort"}}),
        bash("echo 4", onFailure="Ignore", **{"if": {"fileExist": "x"}}),
    )

    assert statuses(outcome) == ["success", "skipped", "failure ignored", "failure ignored"]
    assert outcome.steps[2].message.startswith("its condition says Abort: fileExists: ")
    assert outcome.steps[3].message == "'fileExist' is no operator known here"


def test_facts_about_the_place_are_looked_up_there(bench: Bench, here: Path) -> None:
    (here / "file").write_text("abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    step = bench.act(
        "Assert",
        {
            "and": [
                {"fileSHA256Equals": digest.upper(), "path": f"{here}/file"},
                {"folderExists": str(here)},
                {"binaryExists": "cat"},
                {"not": {"binaryExists": "no-such-command"}},
                {"not": {"fileMD5Equals": digest, "path": f"{here}/none"}},
            ]
        },
    )

    assert step.status is Status.SUCCESS


def test_an_assertion_that_does_not_hold_shows_what_it_compared(bench: Bench) -> None:
    outcome = bench.run(
        bash("echo 2.0", name="Version"),
        {"action": "Assert", "inputs": {"stringEquals": "2.1", "value": "{{ build.Version.outputs.stdout }}"}},
    )

    assert outcome.steps[1].message == "does not hold: stringEquals: '2.1', value: '2.0'"


def test_a_script_that_asks_for_a_restart_runs_again_and_its_condition_is_not_asked_again(
    bench: Bench, here: Path
) -> None:
    outcome = bench.run(
        bash(
            f"[ -e {here}/once ] && exit 0",
            f"touch {here}/once; exit 194",
            **{"if": {"not": {"fileExists": f"{here}/once"}}},
        ),
        bash("true"),
    )

    assert [(step.status.value, step.attempts, step.reboots) for step in outcome.steps] == [
        ("success", 1, 1),
        ("success", 1, 0),
    ]
    assert ("note", "reboot: host restarts, and the step runs again") in bench.heard.lines


def test_the_action_reboot_goes_on_with_the_next_step(bench: Bench) -> None:
    outcome = bench.run({"action": "Reboot"}, bash("echo after"))

    assert [step.reboots for step in outcome.steps] == [1, 0]
    assert ("note", "reboot: host restarts, and the next step goes on") in bench.heard.lines


def test_a_script_that_always_asks_for_a_restart_fails_in_the_end(bench: Bench) -> None:
    step = bench.act("ExecuteBinary", {"path": "/bin/sh", "arguments": ["-c", "exit 194"]})

    assert (step.status, step.message) == (Status.FAILED, "asked for more than 15 restarts")


def test_what_does_not_run_on_linux_fails_with_the_reason_when_its_condition_lets_it_through(bench: Bench) -> None:
    step = bench.act("ExecutePowerShell", {"commands": ["dir"]}, **{"if": {"binaryExists": "sh"}})

    assert (step.status, step.message) == (Status.FAILED, "ExecutePowerShell runs on Windows only, this is Linux")


def test_an_action_that_only_the_service_may_know_fails(bench: Bench) -> None:
    step = bench.act("TeleportFile", [{"path": "x"}])

    assert (step.status, step.message) == (Status.FAILED, "TeleportFile is no action module known here")


def test_every_action_of_linux_has_what_does_it() -> None:
    assert sorted(ACTIONS) == sorted(name for name, known in actions().items() if "Linux" in known["x-platforms"])
    for place in ACTIONS.values():
        module, _, name = place.partition(".")
        assert callable(getattr(import_module(f"cdk_ami.runtime.component.actions.{module}"), name))


def test_nothing_runs_when_the_run_cannot_be(bench: Bench, here: Path) -> None:
    with pytest.raises(ConfigError, match=r"parameters\['Wrong'\] is not declared"):
        bench.run(bash(f"touch {here}/ran"), parameters={"Wrong": "x"})

    assert list(here.iterdir()) == []


def test_a_run_can_be_stopped_from_outside(bench: Bench) -> None:
    stopped = Event()
    Timer(0.2, stopped.set).start()
    began = time.monotonic()

    with pytest.raises(RunStoppedError):
        bench.run(bash("sleep 300"), stopped=stopped)

    assert time.monotonic() - began < 60
