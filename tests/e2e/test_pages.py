"""Every command line of the README and the documentation is run, as written, from the root of a copy of the project."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Project
from tests.support.synth import ACCOUNT, ROOT

pytestmark = [pytest.mark.cdk_cli, pytest.mark.timeout(900)]

IN_ORDER = (
    "docs/tutorial.md",
    "docs/how-to/deploy-to-an-account.md",
    "docs/how-to/check-before-you-deploy.md",
    "docs/how-to/check-templates.md",
    "docs/how-to/guard-an-account.md",
    "docs/how-to/follow-a-channel.md",
    "README.md",
    "examples/README.md",
    "docs/how-to/write-a-component.md",
    "docs/how-to/run-a-component.md",
    "docs/how-to/test-your-image-pipeline.md",
    "docs/how-to/import-the-constructs.md",
    "docs/how-to/share-with-accounts.md",
    "docs/how-to/try-it-without-an-account.md",
    "docs/how-to/promote.md",
    "docs/how-to/distribute-an-ami.md",
    "docs/how-to/capture-a-server.md",
    "docs/how-to/clean-up.md",
)
ELSEWHERE = {
    "accounts refresh": "tests/cli/test_accounts_command.py runs it in an organization, which the pages have not",
    "accounts list accounts.yaml": "tests/cli/test_accounts_command.py runs it on the file that a refresh has written",
    "cdk-ami audit": "tests/cli/test_audit_command.py runs it; it ends with 1 in an account that nobody has guarded",
    "cdk-ami preflight": "tests/runtime/preflight and tests/cli run it where all is right, and where all is wrong",
    "cdk-ami check template": "tests/cli/test_check_command.py checks files and directories, with their options",
    "CDK_AMI_SIDE": "tests/stacks/test_target_account_stack.py deploys it in two accounts; the pages have one",
    "aws sts assume-role": "tests/sandbox/test_server.py takes a role that does not exist, and acts in its account",
    "stack-set": "tests/stacks/test_target_account_stack.py deploys it in two accounts, without StackSets",
    "make demo": "the CI script runs it",
    "make test": "the CI script runs it, and this test in it",
    "npm install": "package.json pins the same version, and a registry is out of reach here",
    "pip install": "tests/contract/test_wheel.py installs the wheel; a registry is out of reach here",
    "docker:": "tests/runtime/component/test_docker.py tries the command lines; no engine runs here",
    "mmdebstrap": "tests/support/debian.py makes such a directory, of fewer packages",
    "chroot:": "tests/cli/test_component_command.py and the builds of tests/sandbox/imagebuilder run in one",
    "cdk-ami capture": "tests/cli/test_capture_command.py captures a server; the pages have none",
    "cdk-ami distribute": "tests/cli/test_distribute_command.py distributes an AMI by a role, which the pages have not",
    "cdk-ami retry": "tests/cli/test_distribute_command.py retries a distribution that failed",
    "cdk-ami promote": "tests/cli/test_promote_command.py starts, approves and rejects promotions",
    "cdk-ami rollback": "tests/cli/test_promote_command.py rolls channels back",
    "sandbox --port 5000": "tests/sandbox/cli runs it on a free port",
    "sandbox --env": "tests/sandbox/cli evaluates what it prints",
}
"""Command lines that hold one of these are proven elsewhere."""

NOBODYS_AMI = "ami-0123456789abcdef0"
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def followed(project: Project) -> Project:
    """The copy, with what the pages' commands reach for: node_modules, and no questions asked."""
    (project.folder / "node_modules").symlink_to(ROOT / "node_modules")
    (project.folder / "docs").mkdir()
    (project.folder / "examples").symlink_to(ROOT / "examples")
    settings = project.folder / "cdk.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"requireApproval": "never"}))
    return project


@pytest.mark.parametrize("page", IN_ORDER)
def test_the_commands_of_a_page_work_as_written(page: str, followed: Project) -> None:
    if page == "docs/tutorial.md":
        follow_the_edits((ROOT / page).read_text(), followed)
    if page == "docs/how-to/run-a-component.md":
        save_the_component((ROOT / page).read_text(), followed.folder / "components/greeting.yaml")

    for line in command_lines(ROOT / page):
        followed.run("bash", "-c", as_typed(line, followed))


def test_no_page_with_commands_is_left_out() -> None:
    pages = [ROOT / "README.md", ROOT / "examples/README.md", *sorted((ROOT / "docs").rglob("*.md"))]

    assert {str(page.relative_to(ROOT)) for page in pages if SHELL.search(page.read_text())} == set(IN_ORDER)


def test_nothing_remains_when_the_pages_have_been_followed(followed: Project) -> None:
    assert json.loads(followed.cdk_ami("leftovers", "--json"))["leftovers"] == []


def command_lines(page: Path) -> Iterator[str]:
    for block in SHELL.findall(page.read_text()):
        for line in block.splitlines():
            if line and not any(proven in line for proven in ELSEWHERE):
                yield line


def as_typed(line: str, project: Project) -> str:
    """Put the reader's own values where a page has a placeholder in capitals, or an AMI of nobody's."""
    if NOBODYS_AMI in line:
        line = line.replace(NOBODYS_AMI, next(ami["image_id"] for ami in project.images()["amis"] if ami["channels"]))
    typed = line.replace("ACCOUNT", ACCOUNT).replace(
        "PIPELINE_ARN", f"arn:aws:imagebuilder:us-east-1:{ACCOUNT}:image-pipeline/web"
    )
    return f"export PATH={project.folder}/.venv/bin:$PATH; {typed}"


def save_the_component(page: str, path: Path) -> None:
    """Do what a page asks for before its commands: save the component that it shows."""
    (component,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    path.write_text(component)


def follow_the_edits(tutorial: str, project: Project) -> None:
    """Do what the tutorial asks for between its commands: write a component, and name it in the settings."""
    (component,) = re.findall(r"^```yaml\n(.*?)^```", tutorial, re.MULTILINE | re.DOTALL)
    (project.folder / "components/motd.yaml").write_text(component)
    (listed,) = re.findall(r"^```toml\n(.*?)^```", tutorial, re.MULTILINE | re.DOTALL)
    settings = project.folder / "cdk-ami.toml"
    settings.write_text(
        re.sub(r"^components = \[.*?^\]\n", listed, settings.read_text(), flags=re.MULTILINE | re.DOTALL)
    )
    assert "components/motd.yaml" in settings.read_text()
