"""What the sandbox's own services tell."""

from __future__ import annotations

from cdk_ami.sandbox.events.emit import emit
from tests.support.happenings import ACCOUNT, Happenings


def test_what_a_service_tells_reaches_the_rules_that_match_it(it: Happenings) -> None:
    it.rule({"source": ["aws.autoscaling"], "detail": {"Event": ["made"]}})

    for event in ("made", "ended"):
        emit("us-east-1", ACCOUNT, "aws.autoscaling", "Something Happened", {"Event": event}, ["arn:aws:one"])

    [told] = it.heard()
    assert (told["detail-type"], told["detail"], told["resources"]) == (
        "Something Happened",
        {"Event": "made"},
        ["arn:aws:one"],
    )


def test_a_bucket_that_asks_for_it_tells_of_its_objects(it: Happenings) -> None:
    s3 = it.aws("s3")
    s3.create_bucket(Bucket="files")
    s3.put_object(Bucket="files", Key="before", Body=b"x")
    s3.put_bucket_notification_configuration(Bucket="files", NotificationConfiguration={"EventBridgeConfiguration": {}})
    detail = {"bucket": {"name": ["files"]}, "object": {"key": [{"prefix": "a"}]}}
    it.rule({"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail})

    s3.put_object(Bucket="files", Key="after", Body=b"four")

    [told] = it.heard()
    assert told["resources"] == ["arn:aws:s3:::files"]
    assert (told["detail"]["object"]["size"], told["detail"]["reason"]) == (4, "PutObject")


def test_a_rule_can_pass_over_channels_that_did_not_move(it: Happenings) -> None:
    pattern = {
        "source": ["aws.ssm"],
        "detail-type": ["Parameter Store Change"],
        "detail": {
            "name": [{"wildcard": "/imagebuilder/*/stable"}],
            "operation": ["Create", "Update"],
            "exception": [{"exists": False}],
        },
    }
    it.rule(pattern, InputPath="$.detail.name")
    ssm = it.aws("ssm")
    source = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    image = ssm.get_parameter(Name=source)["Parameter"]["Value"]

    for name, value in (("web/stable", image), ("web/latest", image), ("app/stable", "ami-0123456789abcdef0")):
        ssm.put_parameter(Name=f"/imagebuilder/{name}", Value=value, Type="String", DataType="aws:ec2:image")

    assert it.heard() == ["/imagebuilder/web/stable"]
