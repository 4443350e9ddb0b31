"""An app as plain templates, and accounts in which all is right, or all is wrong, for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cdk_ami.distribution.delivery import Delivery
from cdk_ami.distribution.keys import KeyUse
from cdk_ami.distribution.target_account import DISTRIBUTION_ROLE, Receiver, distribution_trust
from cdk_ami.sandbox.server import Sandbox
from tests.support.amis import make_ami, point
from tests.support.control import ask
from tests.support.sandbox import ACCOUNT, MakeClient

THERE = "210987654321"
LOOK = f"arn:aws:iam::{THERE}:role/Look"
IMAGE = "AWS::EC2::Image::Id"


def allowing(actions: list[str], resources: list[str] | None = None, **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": actions, **({"Resource": resources} if resources else {}), **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trusting(account: str) -> str:
    return allowing(["sts:AssumeRole"], Principal={"AWS": f"arn:aws:iam::{account}:root"})


def image_stack(**given: Any) -> dict[str, Any]:
    """Return a template as an image's stack renders it, with what is given in its places."""
    recipe = {
        "ParentImage": given.get("parent", "arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2023-x86/x.x.x"),
        "BlockDeviceMappings": [{"Ebs": {"Encrypted": given.get("encrypted", True)}}],
    }
    pipeline = {"DistributionConfigurationArn": {"Fn::GetAtt": ["Distribution", "Arn"]}}
    if "role" in given:
        pipeline["ExecutionRole"] = given["role"]
    infrastructure = {
        "Name": "web",
        "InstanceTypes": [given.get("instance_type", "t3.micro")],
        **given.get("network", {}),
    }
    distribution = {"Distributions": given["distributions"]}
    resources = {
        "Recipe": ("ImageRecipe", recipe),
        "Infrastructure": ("InfrastructureConfiguration", infrastructure),
        "Distribution": ("DistributionConfiguration", distribution),
        "Pipeline": ("ImagePipeline", pipeline),
    }
    if given.get("builds"):
        resources["Build"] = ("Image", {})
    return {
        "Resources": {
            name: {"Type": f"AWS::ImageBuilder::{kind}", "Properties": properties}
            for name, (kind, properties) in resources.items()
        }
        | given.get("others", {})
    }


def target(region: str, *, key: str | None = None, **given: Any) -> dict[str, Any]:
    """Return one target of a distribution."""
    accounts = given.get("accounts", [])
    written = [None, *accounts]
    return {
        "Region": region,
        "AmiDistributionConfiguration": {
            "Name": "web",
            "TargetAccountIds": accounts,
            "AmiTags": {"cdk-ami:image": given.get("image", "web")},
        }
        | ({"KmsKeyId": key} if key else {}),
        "SsmParameterConfigurations": [
            {"ParameterName": given.get("parameter", "/imagebuilder/web/latest"), "DataType": "aws:ec2:image"}
            | ({"AmiAccountId": account} if account else {})
            for account in written
        ],
        "LaunchTemplateConfigurations": [
            {"LaunchTemplateId": template_id, "SetDefaultVersion": given.get("default", False)}
            | ({"AccountId": account} if account else {})
            for account, template_id in given.get("templates", [])
        ],
    }


def fleet_stack(*, at_deploy: str, at_launch: str) -> dict[str, Any]:
    """Return a template that reads two channels."""
    data = {"ImageId": f"resolve:ssm:{at_launch}"}
    return {
        "Parameters": {"Channel": {"Type": f"AWS::SSM::Parameter::Value<{IMAGE}>", "Default": at_deploy}},
        "Resources": {"T": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": data}}},
    }


def assembly(folder: Path, stacks: Mapping[tuple[str, str], Mapping[str, Any]]) -> Path:
    """Write a cloud assembly of templates by name and Region, all of one account."""
    artifacts = {}
    for (name, region), template in stacks.items():
        (folder / f"{name}.json").write_text(json.dumps(template))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://{ACCOUNT}/{region}",
            "properties": {"templateFile": f"{name}.json"},
        }
    (folder / "manifest.json").write_text(json.dumps({"version": "48.0.0", "artifacts": artifacts}))
    return folder


def make_key(kms: Any, alias: str, *, copiers: tuple[str, ...] = ()) -> str:
    """Make a key as an ``ImageKey`` makes it, and return its id."""
    use = KeyUse(region=kms.meta.region_name, owner=ACCOUNT, copiers=copiers)
    key: str = kms.create_key(Policy=json.dumps(use.policy()))["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    return key


def make_target_role(iam: Any, *, policy: str) -> None:
    """Make the role that builds take, as a ``TargetAccountRole`` makes it but for its policy."""
    trust = json.dumps(distribution_trust(ACCOUNT, partition="aws"))
    iam.create_role(RoleName=DISTRIBUTION_ROLE, AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName=DISTRIBUTION_ROLE, PolicyName="Copies", PolicyDocument=policy)


def make_template(ec2: Any, *, tagged: bool) -> str:
    """Make a launch template, and return its id."""
    tags = [{"Key": "CreatedBy", "Value": "EC2 Image Builder"}] if tagged else [{"Key": "Team", "Value": "web"}]
    made: str = ec2.create_launch_template(
        LaunchTemplateName="web",
        LaunchTemplateData={"InstanceType": "t3.micro"},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
    )["LaunchTemplate"]["LaunchTemplateId"]
    return made


def make_product(sandbox: Sandbox, aws: MakeClient, *, subscribers: list[str]) -> str:
    """Make an AMI of the Marketplace that another account sells, and return its id."""
    seller = aws("ec2", account="999999999999")
    ami = make_ami(seller, image="product", encrypted=False).image_id
    seller.modify_image_attribute(ImageId=ami, LaunchPermission={"Add": [{"UserId": ACCOUNT}]})
    ask(sandbox, "ec2/products", image=ami, code="abcdefghijklmnopqrstuvwxy", subscribers=subscribers)
    return ami


def make_network(ec2: Any, *, public: bool) -> dict[str, Any]:
    """Make a subnet, and return it with its security group as an infrastructure configuration names them."""
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    in_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    group = ec2.describe_security_groups(Filters=in_vpc)["SecurityGroups"][0]["GroupId"]
    if public:
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        table = ec2.describe_route_tables(Filters=in_vpc)["RouteTables"][0]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    else:
        everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
    return {"SubnetId": subnet, "SecurityGroupIds": [group]}


def let_in(aws: MakeClient) -> None:
    """Make the role by which the other account is looked into."""
    iam = aws("iam", account=THERE)
    iam.create_role(RoleName="Look", AssumeRolePolicyDocument=trusting(ACCOUNT))


def right(sandbox: Sandbox, aws: MakeClient, folder: Path) -> Path:
    """Make accounts in which nothing is missing, and write the app that needs it."""
    let_in(aws)
    make_key(aws("kms", "eu-west-1"), "alias/golden", copiers=(THERE,))
    here = make_template(aws("ec2"), tagged=False)
    there = make_template(aws("ec2", "eu-west-1", account=THERE), tagged=True)
    delivery = Delivery(
        image="web",
        region="eu-west-1",
        parameters=("/imagebuilder/web/latest",),
        kms_key="alias/golden",
        launch_templates=(there,),
    )
    document = Receiver(account=THERE, deliveries=[delivery]).distribution_document()
    make_target_role(aws("iam", account=THERE), policy=json.dumps(document))
    point(aws("ssm"), "/imagebuilder/web/latest", make_ami(aws("ec2")).image_id)
    point(aws("ssm"), "/imagebuilder/shop/stable", make_ami(aws("ec2"), image="shop").image_id)
    template = image_stack(
        parent=make_product(sandbox, aws, subscribers=[ACCOUNT]),
        network=make_network(aws("ec2"), public=True),
        distributions=[
            target("us-east-1", templates=[(None, here)]),
            target("eu-west-1", key="alias/golden", accounts=[THERE], templates=[(THERE, there)]),
        ],
        builds=True,
    )
    fleet = fleet_stack(at_deploy="/imagebuilder/web/latest", at_launch="/imagebuilder/shop/stable")
    # In Europe the channel comes with the first build.
    european = fleet_stack(at_deploy="/imagebuilder/web/latest", at_launch="/imagebuilder/web/latest")
    return assembly(
        folder, {("image", "us-east-1"): template, ("fleet", "us-east-1"): fleet, ("fleet-eu", "eu-west-1"): european}
    )


def wrong(sandbox: Sandbox, aws: MakeClient, folder: Path) -> Path:
    """Make accounts in which each check finds its fault, and write the app that needs what they lack."""
    let_in(aws)
    make_target_role(aws("iam", account=THERE), policy=allowing(["ec2:CopyImage"], ["*"]))
    make_key(aws("kms", "eu-west-1"), "alias/golden")
    aws("kms").disable_key(KeyId=make_key(aws("kms"), "alias/off"))
    there = make_template(aws("ec2", "eu-west-1", account=THERE), tagged=False)
    aws("ssm").put_parameter(Name="/imagebuilder/web/latest", Value="by hand", Type="String")
    gone = make_ami(aws("ec2"), image="shop").image_id
    point(aws("ssm"), "/imagebuilder/shop/stable", gone)
    aws("ec2").deregister_image(ImageId=gone)
    ask(
        sandbox,
        "quotas",
        service="ebs",
        quota="Concurrent snapshot copies per destination Region",
        value=0,
        region="eu-west-1",
    )
    ask(sandbox, "quotas", service="ec2", quota="AMIs", value=0)
    ask(
        sandbox,
        "quotas",
        service="ec2",
        quota="Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
        value=1,
    )
    iam = aws("iam")
    iam.create_role(RoleName="Runs", AssumeRolePolicyDocument=trusting(ACCOUNT))
    template = image_stack(
        parent=make_product(sandbox, aws, subscribers=[]),
        encrypted=False,
        network=make_network(aws("ec2"), public=False),
        distributions=[
            target("us-east-1", key="alias/off", templates=[(None, "lt-0123456789abcdef0")]),
            target(
                "eu-west-1",
                key="alias/golden",
                accounts=[THERE],
                templates=[(THERE, there)],
                parameter="/web/latest",
                default=True,
            ),
            target("ap-east-1", key="alias/none"),
        ],
    )
    other = image_stack(
        distributions=[target("us-east-1", parameter="/imagebuilder/other/latest")],
        role=f"arn:aws:iam::{ACCOUNT}:role/Runs",
    )
    fleet = fleet_stack(at_deploy="/imagebuilder/web/stable", at_launch="/imagebuilder/shop/stable")
    shared = f"arn:aws:ssm:us-east-1:{THERE}:parameter/imagebuilder/web/latest"
    reader = fleet_stack(at_deploy=shared, at_launch="/imagebuilder/web/none")
    return assembly(
        folder,
        {
            ("image", "us-east-1"): template,
            ("other", "us-east-1"): other,
            ("fleet", "us-east-1"): fleet,
            ("reader", "us-east-1"): reader,
        },
    )
