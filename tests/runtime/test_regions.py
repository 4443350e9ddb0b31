from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from cdk_ami.runtime.regions import RegionClients, ask, clients_of


def clients_in(*regions: str) -> list[RegionClients]:
    nobody: Any = None
    return [RegionClients(region=region, ec2=nobody, ssm=nobody, imagebuilder=nobody) for region in regions]


def test_answers_come_in_the_order_of_the_question() -> None:
    regions = [f"r-{number}" for number in range(20)]

    answers = ask(clients_in(*regions), lambda clients: clients.region.upper())

    assert list(answers.found.items()) == [(region, region.upper()) for region in regions]
    assert answers.failed == {}


def test_a_region_that_fails_hides_no_other_and_says_why() -> None:
    def question(clients: RegionClients) -> str:
        if clients.region == "b":
            raise ClientError({"Error": {"Code": "AuthFailure", "Message": "no"}}, "DescribeImages")
        if clients.region == "c":
            raise EndpointConnectionError(endpoint_url="https://c")
        return "fine"

    answers = ask(clients_in("a", "b", "c", "d"), question)

    assert answers.found == {"a": "fine", "d": "fine"}
    assert set(answers.failed) == {"b", "c"}
    assert "AuthFailure" in answers.failed["b"]


def test_each_region_has_clients_of_its_own_with_ten_attempts() -> None:
    here, there = clients_of(["us-east-1", "eu-west-1"])

    assert (here.ec2.meta.region_name, there.ssm.meta.region_name) == ("us-east-1", "eu-west-1")
    assert here.imagebuilder.meta.config.retries["total_max_attempts"] == 10
