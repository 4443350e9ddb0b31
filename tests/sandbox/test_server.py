from __future__ import annotations

from typing import Any

from cdk_ami.sandbox.server import Sandbox


def test_the_sandbox_listens_on_the_loopback_address_only(sandbox: Sandbox) -> None:
    assert sandbox._server.server_address[0] == "127.0.0.1"


def test_a_caller_who_names_no_account_is_the_default_one(aws: Any) -> None:
    assert aws("sts").get_caller_identity()["Account"] == "123456789012"


def test_a_caller_can_act_in_another_account(aws: Any) -> None:
    assert aws("sts", account="210987654321").get_caller_identity()["Account"] == "210987654321"


def test_a_reset_leaves_nothing_behind(aws: Any, sandbox: Sandbox) -> None:
    del sandbox

    assert [topic["TopicArn"] for topic in aws("sns").list_topics()["Topics"]] == []
