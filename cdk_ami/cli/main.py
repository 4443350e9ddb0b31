"""Entry point of `cdk-ami`."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from typing import Final

try:
    import click
except ModuleNotFoundError:
    sys.exit("cdk-ami: the command needs the extra of its name; run pip install 'cdk-ami[cli]'")

_COMMANDS: Final = {
    "check": "Find what would fail, leak, cost or drift in CloudFormation templates.",
    "accounts": "Keep the file of accounts that distributions name.",
    "audit": "Show what the account settles for a Region, and what AccountGuard would change of it.",
    "capture": "Make an AMI of a server, bring the server back, and distribute the AMI.",
    "component": "Check component documents, and run them in a container, a root directory or here.",
    "distribute": "Copy an AMI to Regions and accounts, and move the channel of an image to it.",
    "channels": "Read the channels of a golden image and their past, and seed one that does not exist.",
    "images": "List the AMIs of a golden image, and the instances that run them.",
    "preflight": "Check a synthesized app against its accounts, before a build costs time and money.",
    "leftovers": "List, and remove, what a golden image leaves behind when its stacks are gone.",
    "retry": "Go on with a build that failed or was cancelled, without building again.",
    "promote": "Promote a build from channel to channel, and approve or reject a promotion.",
    "rollback": "Move a channel back to the AMI that it held before, in every Region or in none.",
    "sandbox": "Run a local AWS, or one command against a fresh one.",
}


class LazyGroup(click.Group):
    """A group that imports a command when it runs, so that `--help` and completion stay quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands without importing them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command ``cmd_name``."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"cdk_ami.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("cdk-ami"), prog_name="cdk-ami")
def main() -> None:
    """Golden AMIs as code.

    Commands find the image and its Regions in cdk-ami.toml of the working directory, unless options name them.
    Credentials come from the places the AWS SDK looks in: AWS_PROFILE, the environment, a role.

    \b
    Examples:
      cdk-ami sandbox                             a local AWS, to try everything without an account
      cdk-ami component run web.yaml --in docker:amazonlinux:2023
      cdk-ami images                              what exists, where, and who runs it
      cdk-ami channels seed web stable --ami ami-0123456789abcdef0 --region us-east-1

    \b
    Exit codes: 0 done, 1 failed or refused, 2 wrong usage.
    """


if __name__ == "__main__":
    main()
