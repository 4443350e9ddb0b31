"""A stand-in for the command `docker` where no engine runs: just enough of it to try the runner's command lines.

A container is a directory below DOCKER_STANDIN; `exec` starts its command on this very machine, in a session of its own
as an engine does, with exactly the environment that `--env` gives.  Nothing is contained: what it proves is which
command lines the runner writes, and that they do what is meant, not how a real engine behaves.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

STATE = Path(os.environ.get("DOCKER_STANDIN", "/nonexistent"))
STEP = "/tmp/.cdk-ami-step"  # noqa: S108 - the file in a container that the runner notes its process in


def main(arguments: list[str]) -> int:
    """Do what a command line asks for, and note it."""
    with (STATE / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    command, *rest = arguments
    if command == "run":
        if "no-such-image" in rest:
            sys.stderr.write("Unable to find image 'no-such-image' locally\nError: pull access denied\n")
            return 125
        container = uuid4().hex
        (STATE / container).mkdir()
        sys.stdout.write(f"{container}\n")
        return 0
    if command == "exec":
        return execute(rest)
    if command == "rm":
        shutil.rmtree(STATE / rest[-1])
    return 0


def execute(rest: list[str]) -> int:
    """Start a command in a container."""
    environment: dict[str, str] = {}
    while rest[0].startswith("--"):
        option = rest.pop(0)
        if option in ("--user", "--workdir", "--env"):
            value = rest.pop(0)
            if option == "--env":
                name, equals, given = value.partition("=")
                environment[name] = given if equals else os.environ[name]
    container, *command = rest
    if not (STATE / container).is_dir():
        sys.stderr.write(f"Error response from daemon: No such container: {container}\n")
        return 1
    # The runner's own file in the container stays with this container.
    inner = [word.replace(STEP, str(STATE / container / "step")) for word in command]
    return subprocess.run(inner, env=environment, check=False, start_new_session=True).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
