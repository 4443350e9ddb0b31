from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3

COMMAND = [sys.executable, "-c", "from cdk_ami.cli.sandbox import sandbox; sandbox(prog_name='cdk-ami sandbox')"]
ROOT = Path(__file__).resolve().parents[3]
# Whatever the tests themselves are pointed at must not leak into the command.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
    "PYTHONPATH": str(ROOT),
    # A network's proxy, which must be passed by: nothing listens there.
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
}


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    options.setdefault("env", ENVIRONMENT)
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False, **options)


def test_it_says_ready_when_it_answers_and_serves_until_it_is_interrupted() -> None:
    with subprocess.Popen([*COMMAND, "--port", "0"], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as serving:
        assert serving.stdout is not None
        line = serving.stdout.readline()
        endpoint = line.removeprefix("ready ").strip()
        account = boto3.client(
            "sts",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
        ).get_caller_identity()["Account"]
        serving.send_signal(signal.SIGINT)
        code = serving.wait(timeout=10)

    assert line.startswith("ready http://127.0.0.1:")
    assert account == "123456789012"
    assert code == 0


def test_a_command_runs_against_a_fresh_one_and_its_exit_code_is_handed_on() -> None:
    program = (
        "import boto3, os; "
        "print(os.environ['AWS_ENDPOINT_URL'], boto3.client('ec2').describe_images(Owners=['self'])['Images']); "
        "raise SystemExit(7)"
    )

    result = run("--region", "eu-west-1", "--", sys.executable, "-c", program)

    assert result.returncode == 7, result.stderr
    assert result.stdout.startswith("http://127.0.0.1:")
    assert result.stdout.rstrip().endswith("[]")


def test_a_command_that_does_not_exist_is_said_so() -> None:
    result = run("--", "no-such-command")

    assert (result.returncode, result.stdout) == (127, "")
    assert result.stderr == "cdk-ami sandbox: no-such-command: command not found\n"


def test_a_signal_reaches_the_command() -> None:
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n"
        "print('waiting', flush=True)\n"
        "time.sleep(30)\n"
    )
    with subprocess.Popen(
        [*COMMAND, "--", sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "waiting\n"
        running.send_signal(signal.SIGTERM)
        code = running.wait(timeout=10)

    assert code == 42


def test_the_environment_can_be_printed_for_a_shell() -> None:
    result = run("--env", "--port", "5123")

    assert result.returncode == 0
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:5123\n" in result.stdout
    assert "export AWS_EC2_METADATA_DISABLED=true\n" in result.stdout
    sourced = subprocess.run(
        ["sh", "-c", f"{result.stdout}\necho $AWS_REGION"], capture_output=True, text=True, check=True
    )
    assert sourced.stdout == "us-east-1\n"


def test_a_port_that_is_taken_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        result = run("--port", str(port))

    assert result.returncode == 1
    assert f"port {port} is in use; name another by --port" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_extra_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "moto.py").write_text("raise ModuleNotFoundError(\"No module named 'moto'\", name='moto')\n")

    result = run("--", "true", env={**ENVIRONMENT, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})

    assert result.returncode == 1
    assert "the sandbox needs the package moto" in result.stderr
    assert "pip install 'cdk-ami[sandbox]'" in result.stderr


def test_help_teaches_and_imports_no_emulator() -> None:
    begun = time.monotonic()

    result = run("--help")

    assert "ready http://127.0.0.1:PORT" in result.stdout
    assert 'eval "$(cdk-ami sandbox --env)"' in result.stdout
    assert time.monotonic() - begun < 5
