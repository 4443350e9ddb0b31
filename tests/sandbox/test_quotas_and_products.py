"""Quotas and products of the Marketplace, as `cdk-ami preflight` looks them up."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.server import Sandbox
from tests.support.amis import make_ami
from tests.support.control import ask, refusal
from tests.support.sandbox import ACCOUNT, MakeClient


def test_a_quota_has_its_first_value_until_somebody_changes_it(aws: MakeClient, sandbox: Sandbox) -> None:
    def values(region: str) -> dict[str, float]:
        quotas = aws("service-quotas", region).list_service_quotas(ServiceCode="ec2")["Quotas"]
        return {quota["QuotaName"]: quota["Value"] for quota in quotas}

    ask(sandbox, "quotas", service="ec2", quota="AMIs", value=3, region="eu-west-1")

    assert (values("eu-west-1")["AMIs"], values("us-east-1")["AMIs"]) == (3.0, 50_000.0)
    one = aws("service-quotas", "eu-west-1").get_service_quota(ServiceCode="ec2", QuotaCode="L-B665C33B")["Quota"]
    assert (one["QuotaName"], one["Value"]) == ("AMIs", 3.0)
    with pytest.raises(ClientError, match="NoSuchResource"):
        aws("service-quotas").list_service_quotas(ServiceCode="batch")
    assert "one of ebs: Concurrent snapshot copies" in refusal(sandbox, "quotas", service="ec2", quota="Beds", value=1)


def test_a_product_is_launched_by_its_subscribers_only(aws: MakeClient, sandbox: Sandbox) -> None:
    seller = aws("ec2", account="999999999999")
    ami = make_ami(seller, encrypted=False).image_id
    seller.modify_image_attribute(
        ImageId=ami, LaunchPermission={"Add": [{"UserId": one} for one in (ACCOUNT, "210987654321")]}
    )
    ask(sandbox, "ec2/products", image=ami, code="abcdefghijklmnopqrstuvwxy", subscribers=["210987654321"])
    launch = {"ImageId": ami, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}

    with pytest.raises(ClientError, match=r"OptInRequired.*pp\?sku=abcdefghijklmnopqrstuvwxy"):
        aws("ec2").run_instances(**launch, DryRun=True)
    with pytest.raises(ClientError, match="DryRunOperation"):
        aws("ec2", account="210987654321").run_instances(**launch, DryRun=True)

    [told] = aws("ec2").describe_images(ImageIds=[ami])["Images"]
    assert told["ProductCodes"] == [{"ProductCodeId": "abcdefghijklmnopqrstuvwxy", "ProductCodeType": "marketplace"}]
    assert "there is no image 'ami-none'" in refusal(sandbox, "ec2/products", image="ami-none", code="x")
