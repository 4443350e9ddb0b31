from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest

from cdk_ami.runtime.component.actions import s3, web
from cdk_ami.runtime.component.host import Host
from cdk_ami.runtime.component.outcome import Status, StepOutcome
from cdk_ami.sandbox.environment import variables
from cdk_ami.sandbox.server import Sandbox
from tests.runtime.component.conftest import Bench, NoAws, bash


class LocalAws:
    """The local AWS."""

    def __init__(self, endpoint: str) -> None:
        self.variables: Mapping[str, str] = variables(endpoint)

    def client(self, service: str) -> Any:
        return boto3.client(service)


@pytest.fixture
def cloud(sandbox: Sandbox, aws: Callable[..., Any]) -> Bench:
    """This machine, with a local AWS that holds a bucket."""
    aws("s3").create_bucket(Bucket="files")
    for key in ("web/a.txt", "web/deep/b.txt", "web/deep/", "other"):
        aws("s3").put_object(Bucket="files", Key=key, Body=key.encode())
    return Bench(Host(), LocalAws(sandbox.endpoint))


def failed(step: StepOutcome) -> str:
    assert step.status is Status.FAILED
    return step.message


def one_step(step: str) -> str:
    return f"schemaVersion: 1.0\nphases: [{{name: build, steps: [{step}]}}]"


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_objects_are_downloaded_one_by_one_and_by_prefix(cloud: Bench, here: Path) -> None:
    step = cloud.act(
        "S3Download",
        [
            {"source": "s3://files/other", "destination": f"{here}/named"},
            {"source": "s3://files/other", "destination": f"{here}/"},
            {"source": "s3://files/web/*", "destination": f"{here}", "expectedBucketOwner": "123456789012"},
        ],
    )

    assert step.status is Status.SUCCESS, step.message
    assert tree(here) == {"named": "other", "other": "other", "a.txt": "web/a.txt", "deep/b.txt": "web/deep/b.txt"}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"source": "s3://files/none"}, "s3://files/none: An error occurred (NoSuchKey)"),
        ({"source": "s3://nowhere/other"}, "NoSuchBucket"),
        ({"source": "s3://files/none/*"}, "nothing matches s3://files/none/*"),
        ({"source": "https://files/x"}, "is no S3 location; write s3://BUCKET/KEY"),
        ({"source": "s3://files/other", "destination": "none/file"}, "S3Download makes none"),
        ({"source": "s3://files/web/*", "destination": "none"}, "S3Download makes none"),
        ({"source": "s3://files/other", "destination": "taken", "overwrite": False}, "overwrite is false"),
    ],
)
def test_a_download_that_cannot_be_says_why(cloud: Bench, here: Path, entry: dict[str, Any], problem: str) -> None:
    (here / "taken").write_text("old")

    step = cloud.act("S3Download", [{**entry, "destination": f"{here}/{entry.get('destination', '')}"}])

    assert problem in failed(step)
    assert tree(here) == {"taken": "old"}


def test_a_prefix_of_too_many_objects_is_refused(cloud: Bench, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "OBJECTS_MAX", 1)

    step = cloud.act("S3Download", [{"source": "s3://files/*", "destination": str(here)}])

    assert failed(step) == "s3://files/* matches 3 objects; at most 1 are downloaded"


@pytest.mark.parametrize(
    ("entry", "keys"),
    [
        ({"source": "a.log", "destination": "up/name"}, ["up/name"]),
        ({"source": "a.log", "destination": "up/"}, ["up/a.log"]),
        ({"source": "*.log", "destination": "up/"}, ["up/a.log", "up/b.log"]),
        ({"source": "*", "destination": "up/", "recurse": True}, ["up/a.log", "up/b.log", "up/deep/c.log"]),
        ({"source": "", "destination": "up", "recurse": "true"}, ["up/a.log", "up/b.log", "up/deep/c.log"]),
    ],
)
def test_files_are_uploaded(
    cloud: Bench, here: Path, aws: Callable[..., Any], *, entry: dict[str, Any], keys: list[str]
) -> None:
    (here / "deep").mkdir()
    for name in ("a.log", "b.log", "deep/c.log"):
        (here / name).write_text(name)

    step = cloud.act(
        "S3Upload",
        [{**entry, "source": f"{here}/{entry['source']}", "destination": f"s3://files/{entry['destination']}"}],
    )

    assert step.status is Status.SUCCESS, step.message
    found = aws("s3").list_objects_v2(Bucket="files", Prefix="up")["Contents"]
    assert [item["Key"] for item in found] == keys


@pytest.mark.parametrize(
    ("source", "problem"),
    [("", "is a folder; set recurse to true"), ("none", "does not exist"), ("*.zip", "nothing matches")],
)
def test_an_upload_of_nothing_fails(cloud: Bench, here: Path, source: str, problem: str) -> None:
    step = cloud.act("S3Upload", [{"source": f"{here}/{source}", "destination": "s3://files/up/"}])

    assert problem in failed(step)


def test_a_document_runs_another_from_s3_or_by_its_arn_or_from_a_file(
    cloud: Bench, here: Path, aws: Callable[..., Any]
) -> None:
    text = f"""
schemaVersion: 1.0
parameters: [{{Word: {{type: string, default: none}}}}]
phases:
  - name: build
    steps: [{{name: Say, action: ExecuteBash, inputs: {{commands: ['echo {{{{ Word }}}} >> {here}/said']}}}}]
  - name: test
    steps: [{{name: Say, action: ExecuteBash, inputs: {{commands: ['echo test >> {here}/said']}}}}]
"""
    aws("s3").put_object(Bucket="files", Key="doc.yaml", Body=text.encode())
    made = aws("imagebuilder").create_component(name="inner", semanticVersion="1.0.0", platform="Linux", data=text)
    (here / "doc.yaml").write_text(text)
    word = [{"name": "Word", "value": "given"}]

    outcome = cloud.run(
        {"action": "ExecuteDocument", "inputs": {"document": "s3://files/doc.yaml", "phases": "build"}},
        {"action": "ExecuteDocument", "inputs": {"document": made["componentBuildVersionArn"], "parameters": word}},
        {
            "name": "File",
            "action": "ExecuteDocument",
            "inputs": {"document": f"{here}/doc.yaml", "phases": "test, build"},
        },
        bash("echo {{ build.File.outputs.executedStepCount }} {{ build.File.outputs.status }}"),
    )

    assert outcome.status == "success", [step.message for step in outcome.steps]
    assert (here / "said").read_text().split() == ["none", "given", "test", "none", "test"]
    assert outcome.steps[-1].outputs == ({"stdout": "2 success"},)
    assert ("note", "phase test, step Say (ExecuteBash)") in cloud.heard.lines


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("schemaVersion: 2.0", "schemaVersion"),
        (
            one_step("{name: Bad, action: ExecuteBash, inputs: {commands: [exit 4]}}"),
            "doc.yaml: phase build, step Bad: exit code 4",
        ),
        ("SELF", "would be nested deeper than 3 documents"),
    ],
)
def test_a_document_within_that_fails_fails_its_step(bench: Bench, here: Path, content: str, problem: str) -> None:
    inner = one_step(f"{{name: Again, action: ExecuteDocument, inputs: {{document: {here}/doc.yaml}}}}")
    (here / "doc.yaml").write_text(inner if content == "SELF" else content)

    assert problem in failed(bench.act("ExecuteDocument", {"document": f"{here}/doc.yaml"}))


class Site(BaseHTTPRequestHandler):
    """Answers with the path; `/moved` redirects, `/missing` is not there, `/flaky` works the third time."""

    asked: list[str] = []  # noqa: RUF012 - emptied by the fixture

    def do_GET(self) -> None:
        self.asked.append(self.path)
        status = {"/moved": 302, "/missing": 404, "/empty": 204}.get(self.path, 200)
        if self.path == "/flaky" and self.asked.count("/flaky") < 3:
            status = 503
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/files/app%201.zip")
        self.end_headers()
        if status == 200:
            self.wfile.write(self.path.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a small site."""
    monkeypatch.setattr(web, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Site.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_files_are_downloaded_from_the_web_into_folders_that_it_makes(site: str, here: Path) -> None:
    bench = Bench(Host(), NoAws())
    checksum = hashlib.sha256(b"/files/two").hexdigest()

    outcome = bench.run(
        {
            "name": "Get",
            "action": "WebDownload",
            "inputs": [
                {"source": f"{site}/files/app%201.zip", "destination": f"{here}/new/"},
                {"source": f"{site}/moved", "destination": f"{here}/renamed.zip"},
                {
                    "source": f"{site}/files/two",
                    "destination": f"{here}/two",
                    "checksum": checksum.upper(),
                    "algorithm": "sha256",
                },
            ],
        },
        bash("echo '{{ build.Get.outputs.destination }}'"),
    )

    assert outcome.status == "success", outcome.steps
    assert tree(here) == {
        "new/app 1.zip": "/files/app%201.zip",
        "renamed.zip": "/files/app%201.zip",
        "two": "/files/two",
    }
    assert outcome.steps[1].outputs == ({"stdout": f"{here}/new/app 1.zip\n{here}/renamed.zip\n{here}/two"},)


def test_a_download_is_tried_five_times(site: str, bench: Bench, here: Path) -> None:
    assert bench.act("WebDownload", [{"source": f"{site}/flaky", "destination": f"{here}/x"}]).status is Status.SUCCESS
    assert failed(bench.act("WebDownload", [{"source": f"{site}/missing", "destination": f"{here}/y"}])) == (
        f"{site}/missing: status 404, 5 times"
    )
    assert [Site.asked.count(path) for path in ("/flaky", "/missing")] == [3, 5]
    assert not (here / "y").exists()


def test_a_file_with_the_checksum_given_is_not_downloaded_again(site: str, bench: Bench, here: Path) -> None:
    (here / "x").write_text("old")
    entry = {"source": f"{site}/x", "destination": f"{here}/x", "algorithm": "MD5"}

    kept = bench.act("WebDownload", [entry | {"checksum": hashlib.md5(b"old").hexdigest()}])  # noqa: S324 - the service's
    assert (kept.status, Site.asked, (here / "x").read_text()) == (Status.SUCCESS, [], "old")
    wrong = bench.act("WebDownload", [entry | {"checksum": "0" * 32}])
    assert "has the MD5 checksum" in failed(wrong)
    assert (here / "x").read_text() == "old"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"source": "file:///etc/passwd"}, "is no URL of HTTP or HTTPS"),
        ({"algorithm": "CRC32", "checksum": "x"}, "'CRC32' is no algorithm"),
        ({"overwrite": False}, "exists, and overwrite is false"),
        ({"source": "SITE/empty"}, "status 204, 5 times"),
    ],
)
def test_a_download_from_the_web_that_cannot_be_says_why(
    site: str, bench: Bench, here: Path, *, entry: dict[str, Any], problem: str
) -> None:
    (here / "x").write_text("old")
    asked = {"source": "SITE/x", "destination": f"{here}/x"} | entry

    step = bench.act("WebDownload", [asked | {"source": asked["source"].replace("SITE", site)}])

    assert problem in failed(step)
    assert (here / "x").read_text() == "old"
