"""Rules over who may do what: roles, keys, security groups, buckets, topics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cdk_ami.checks.rule import Problem, is_token
from cdk_ami.checks.template.places import Place, Resource
from cdk_ami.checks.template.policies import open_to_all, policies_of, principals, statements, texts
from cdk_ami.checks.template.registry import Family, Severity, template_rule
from cdk_ami.checks.template.types import (
    BLOCK_SNAPSHOTS,
    BUCKET,
    BUCKET_POLICY,
    DISTRIBUTION,
    IMAGE,
    INFRASTRUCTURE,
    INGRESS,
    INSTANCE_PROFILE,
    KEY,
    LIFECYCLE,
    MANAGED_POLICY,
    PIPELINE,
    POLICY,
    RECIPE,
    ROLE,
    SECURITY_GROUP,
    TOPIC_POLICY,
)

_IAM: Final = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"
_BUILD_ROLE: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-builder-setting-up.html"
_CONFUSED: Final = f"{_IAM}confused-deputy.html"
_KMS: Final = "https://docs.aws.amazon.com/kms/latest/developerguide/"
_SERVICE: Final = "imagebuilder.amazonaws.com"
_WITH_SOURCE: Final = ("imagebuilder.amazonaws.com", "scheduler.amazonaws.com")
"""Services that say for which account they act, as far as this library uses them."""
_DISTRIBUTOR: Final = "EC2ImageBuilderDistributionCrossAccountRole"
_RETIRER: Final = "Ec2ImageBuilderCrossAccountLifecycleAccess"
_WIDE: Final = (
    r"(?:AdministratorAccess|PowerUserAccess|IAMFullAccess|AmazonEC2FullAccess|AmazonS3FullAccess|AmazonSSMFullAccess)"
)
_LOGINS: Final = (22, 3389, 5985, 5986)
_WORLD: Final = ("0.0.0.0/0", "::/0")
_SSM_POLICIES: Final = r"(?:AmazonSSMManagedInstanceCore|AmazonEC2RoleforSSM|AmazonSSMFullAccess|AdministratorAccess|PowerUserAccess|AmazonSSMManagedEC2InstanceDefaultPolicy)"
_WAITING_DAYS: Final = (7, 30)
_PUBLIC_ACLS: Final = ("PublicRead", "PublicReadWrite", "AuthenticatedRead")
_BLOCKS: Final = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def _trust(principal: str, more: str = "") -> str:
    return f"{{Statement: [{{Effect: Allow, Principal: {principal}, Action: 'sts:AssumeRole'{more}}}]}}"


def _role(trust: str, more: str = "") -> str:
    return f"{{AssumeRolePolicyDocument: {trust}{more}}}"


_SOURCE: Final = ", Condition: {StringEquals: {'aws:SourceAccount': !Ref AWS::AccountId}}"
_EC2: Final = _trust("{Service: ec2.amazonaws.com}")
_ALLOW: Final = (
    ", Policies: [{PolicyName: p, PolicyDocument: {Statement: [{Effect: Allow, Action: %s, Resource: %s}]}}]"
)
_GOOD: Final = _role(_EC2, _ALLOW % ("'s3:GetObject'", "'arn:aws:s3:::builds/*'"))


@template_rule(
    "TrustSourceAccount",
    family=Family.LEAKS,
    severity=Severity.WARNING,
    on=(ROLE,),
    why="Anybody's Image Builder can be made to act with the role: the service is asked by every account.",
    source=_CONFUSED,
    bad=(
        _role(_trust(f"{{Service: {_SERVICE}}}")),
        _role(
            _trust(
                f"{{Service: [ec2.amazonaws.com, {_SERVICE}]}}", ", Condition: {Bool: {'aws:SecureTransport': 'true'}}"
            )
        ),
        _role(_trust("{Service: scheduler.amazonaws.com}")),
    ),
    good=(
        _role(_trust(f"{{Service: {_SERVICE}}}", ", Condition: {StringEquals: {'aws:SourceOrgID': o-a1b2c3d4e5}}")),
        _role(
            _trust(
                f"{{Service: {_SERVICE}}}",
                ", Condition: {'ForAnyValue:StringLike': {'aws:SourceOrgPaths': o-a1b2c3d4e5/*}}",
            )
        ),
        _GOOD,
        _role(_trust(f"{{Service: {_SERVICE}}}", _SOURCE)),
        _role(_trust(f"{{Service: {_SERVICE}}}", ", Condition: {ArnLike: {'aws:sourcearn': !Ref A}}")),
        _role(_trust(f"{{Service: {_SERVICE}}}", ", Condition: !Ref C")),
        _role("!Ref Trust"),
    ),
)
def trust_source_account(it: Resource) -> Iterator[Problem]:
    """A role that a service takes on says for which account."""
    for statement in statements(it.get("AssumeRolePolicyDocument")):
        condition = statement.get("Condition")
        keys = {key.lower() for operator in condition.names() for key in condition.get(operator).names()}
        named = keys & {"aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths"}
        opaque = isinstance(condition.raw, str) or any(
            isinstance(condition.get(key).raw, str) for key in condition.names()
        )
        for service in principals(statement, "Service"):
            if service.text in _WITH_SOURCE and not named and not opaque:
                yield service.problem(
                    "may take the role on for any account", fix="add a condition on aws:SourceAccount to the statement"
                )


@template_rule(
    "TrustEverybody",
    family=Family.LEAKS,
    on=(ROLE,),
    why="Everybody with an AWS account may take the role on.",
    source=f"{_IAM}reference_policies_elements_principal.html",
    bad=(_role(_trust("'*'")), _role(_trust("{AWS: ['*']}"))),
    good=(_GOOD, _role(_trust("{AWS: '*'}", ", Condition: {StringEquals: {'aws:PrincipalOrgID': o-a1b2c3d4e5}}"))),
)
def trust_everybody(it: Resource) -> Iterator[Problem]:
    """A role says who may take it on."""
    for statement in statements(it.get("AssumeRolePolicyDocument")):
        if open_to_all(statement):
            yield statement.get("Principal").problem("lets everybody take the role on", fix="name accounts or services")


@template_rule(
    "WideRole",
    family=Family.LEAKS,
    on=(ROLE, POLICY, MANAGED_POLICY),
    why="Whatever runs in a build, the newest package of a mirror included, may do all of that to the account.",
    source=f"{_IAM}best-practices.html#grant-least-privilege",
    bad=(
        _role(_EC2, ", ManagedPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess']"),
        _role(_EC2, ", ManagedPolicyArns: [!Sub 'arn:${AWS::Partition}:iam::aws:policy/PowerUserAccess']"),
        _role(_EC2, _ALLOW % ("'*'", "'*'")),
        _role(_EC2, _ALLOW % ("['s3:*', 'ec2:*']", "['*']")),
        _role(_EC2, _ALLOW % ("'iam:PassRole'", "'*'")),
        "P: {Type: AWS::IAM::Policy, Properties: {PolicyDocument: {Statement: {Effect: Allow, NotAction: 'iam:*', Resource: '*'}}}}",
    ),
    good=(
        _role(
            _EC2,
            ", Policies: [{PolicyName: p, PolicyDocument: {Statement: [{Effect: Allow, Action: 'iam:PassRole', Resource: '*', Condition: {StringEquals: {'iam:PassedToService': ec2.amazonaws.com}}}]}}]",
        ),
        _GOOD,
        _role(_EC2, ", ManagedPolicyArns: ['arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore']"),
        _role(_EC2, _ALLOW % ("'ec2:Describe*'", "'*'")),
        _role(_EC2, _ALLOW % ("'s3:*'", "'arn:aws:s3:::builds/*'")),
        _role(_EC2, _ALLOW % ("'s3:*'", "!Ref Anything")),
        "P: {Type: AWS::IAM::Policy, Properties: {PolicyDocument: {Statement: {Effect: Deny, Action: '*', Resource: '*'}}}}",
    ),
)
def wide_role(it: Resource) -> Iterator[Problem]:
    """A role may do what it needs, to what it needs."""
    for place in it.get("ManagedPolicyArns").items():
        found = re.search(rf":policy/(?:job-function/)?{_WIDE}$", place.partial)
        if found:
            yield place.problem("allows nearly everything", fix="attach a policy of what is needed")
    documents = [it.get("PolicyDocument")] if it.type != ROLE else it.all("Policies[].PolicyDocument")
    for document in documents:
        for statement in statements(document):
            yield from _wide(statement)


def _wide(statement: Place) -> Iterator[Problem]:
    actions, resources = texts(statement.get("Action")), texts(statement.get("Resource"))
    if not any(place.text == "*" for place in resources):
        return
    if statement.get("NotAction").given:
        yield statement.get("NotAction").problem("allows all but a few actions", fix="list the actions in Action")
    for action in actions:
        name = action.text or ""
        if name == "*" or re.fullmatch(
            r"(?:iam|s3|ec2|ssm|kms|sts|lambda|imagebuilder|secretsmanager|organizations):\*", name
        ):
            yield action.problem("is allowed on every resource", fix="list actions, and scope the resources")
        elif name.lower() == "iam:passrole" and not statement.get("Condition").given:
            yield action.problem("lets every role be passed on", fix="name the role in Resource")


_PROFILED: Final = """
Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: %s%s}}
Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
Build: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: w, InstanceProfileName: !Ref Profile}}
"""
_CORE: Final = ", ManagedPolicyArns: ['arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore']"


def _build_roles(it: Resource) -> Iterator[Resource]:
    profile = it.target(it.get("InstanceProfileName"), INSTANCE_PROFILE)
    for place in profile.get("Roles").items() if profile else ():
        role = it.target(place, ROLE)
        if role is not None:
            yield role


@template_rule(
    "BuildRoleTrust",
    family=Family.FAILS,
    on=(INFRASTRUCTURE,),
    why="EC2 cannot take the role on: the build fails at its beginning.",
    source=_BUILD_ROLE,
    bad=(_PROFILED % (_trust(f"{{Service: {_SERVICE}}}"), _CORE),),
    good=(
        _PROFILED % (_trust("{Service: ec2.amazonaws.com.cn}"), _CORE),
        _PROFILED % (_EC2, _CORE),
        _PROFILED % ("!Ref Trust", _CORE),
        _PROFILED % (_trust("{Service: !Ref S}"), _CORE),
    ),
)
def build_role_trust(it: Resource) -> Iterator[Problem]:
    """The role of a build instance is one that EC2 may take on."""
    for role in _build_roles(it):
        yield from _untrusted(it.get("InstanceProfileName"), role, "ec2.amazonaws.com")


def _untrusted(place: Place, role: Resource, service: str) -> Iterator[Problem]:
    allowed = statements(role.get("AssumeRolePolicyDocument"))
    named = [item for statement in allowed for item in principals(statement, "Service")]
    open_ended = any(item.unknown for item in named) or any(open_to_all(statement) for statement in allowed)
    known = isinstance(role.get("AssumeRolePolicyDocument").get("Statement").raw, list | dict)
    texts_ = [item.partial.replace(".amazonaws.com.cn", ".amazonaws.com") for item in named]
    if known and not open_ended and service not in texts_:
        fix = f"let {service} assume the role {role.logical_id}"
        yield place.problem(f"leads to a role that {service} may not take on", got=role.logical_id, fix=fix)


@template_rule(
    "BuildRoleAgent",
    family=Family.FAILS,
    on=(INFRASTRUCTURE,),
    why="Systems Manager never sees the build instance: the build waits for it and fails.",
    source=_BUILD_ROLE,
    bad=(
        """
Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: 'sts:AssumeRole'}]}}}
Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
Build: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: w, InstanceProfileName: !Ref Profile}}
Policy:
  Type: AWS::IAM::Policy
  Properties: {PolicyName: p, Roles: [!Ref Role], PolicyDocument: {Statement: [{Effect: Allow, Action: 'ec2:Describe*', Resource: '*'}]}}
""",
        """
Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: 'sts:AssumeRole'}]}}}
Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
Build: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: w, InstanceProfileName: !Ref Profile}}
Policy:
  Type: AWS::IAM::Policy
  Properties: {PolicyName: p, Roles: [!Ref Other], PolicyDocument: {Statement: [{Effect: Allow, Action: 'ssm:UpdateInstanceInformation', Resource: '*'}]}}
""",
        _PROFILED % (_EC2, ""),
        _PROFILED % (_EC2, ", ManagedPolicyArns: ['arn:aws:iam::aws:policy/EC2InstanceProfileForImageBuilder']"),
    ),
    good=(
        """
Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: 'sts:AssumeRole'}]}}}
Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
Build: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: w, InstanceProfileName: !Ref Profile}}
Policy:
  Type: AWS::IAM::Policy
  Properties: {PolicyName: p, Roles: [!Ref Role], PolicyDocument: {Statement: [{Effect: Allow, Action: 'ssm:UpdateInstanceInformation', Resource: '*'}]}}
""",
        """
Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: 'sts:AssumeRole'}]}}}
Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
Build: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: w, InstanceProfileName: !Ref Profile}}
Policy:
  Type: AWS::IAM::Policy
  Properties: {PolicyName: p, Roles: !Ref Roles, PolicyDocument: {Statement: [{Effect: Allow, Action: 'ec2:Describe*', Resource: '*'}]}}
""",
        """
Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: 'sts:AssumeRole'}]}}}
Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
Build: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: w, InstanceProfileName: !Ref Profile}}
Policy:
  Type: AWS::IAM::Policy
  Properties: {PolicyName: p, Roles: [!If [C, !Ref Role, !Ref Other]], PolicyDocument: {Statement: [{Effect: Allow, Action: 'ec2:Describe*', Resource: '*'}]}}
""",
        _PROFILED % (_EC2, _CORE),
        _PROFILED % (_EC2, _ALLOW % ("['ssm:UpdateInstanceInformation', 'ssmmessages:*']", "'*'")),
        _PROFILED % (_EC2, ", ManagedPolicyArns: [!Ref Own]"),
        _PROFILED % (_EC2, ", ManagedPolicyArns: ['arn:aws:iam::123456789012:policy/build']"),
    ),
)
def build_role_agent(it: Resource) -> Iterator[Problem]:
    """The role of a build instance lets the Systems Manager agent report."""
    for role in _build_roles(it):
        attached = role.get("ManagedPolicyArns")
        arns = [place.partial for place in attached.items()]
        if isinstance(attached.raw, str) or any(not re.search(r":iam::aws:policy/", arn) for arn in arns):
            own = [place for place in attached.items() if role.target(place, MANAGED_POLICY) is None]
            if isinstance(attached.raw, str) or any(":iam::aws:policy/" not in place.partial for place in own):
                continue  # a policy that is not to be seen here may allow it
        if any(re.search(_SSM_POLICIES, arn) for arn in arns) or _foreign_policies(role):
            continue
        documents = list(policies_of(role))
        actions = [
            text
            for document in documents
            for statement in statements(document)
            for text in texts(statement.get("Action"))
        ]
        opaque = any(is_token(document.raw) and not isinstance(document.raw, dict) for document in documents)
        if not opaque and not any(
            re.match(r"\*|ssm:\*|ssm:Update", action.partial) or action.unknown for action in actions
        ):
            yield it.get("InstanceProfileName").problem(
                "leads to a role without the Systems Manager agent's permissions",
                got=role.logical_id,
                fix=f"attach AmazonSSMManagedInstanceCore to {role.logical_id}",
            )


def _foreign_policies(role: Resource) -> bool:
    return any(
        isinstance(policy.get("Roles").raw, str)
        or any(place.raw == "${Token[If]}" for place in policy.get("Roles").items())
        for policy in role.template.of_type(POLICY, MANAGED_POLICY)
    )


@template_rule(
    "ServiceRoleTrust",
    family=Family.FAILS,
    on=(PIPELINE, IMAGE, LIFECYCLE),
    why="Image Builder cannot take the role on: the service refuses it, or every run fails.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-lifecycle-prerequisites.html",
    bad=(
        f"""
Role: {{Type: AWS::IAM::Role, Properties: {{AssumeRolePolicyDocument: {_EC2}}}}}
End: {{Type: AWS::ImageBuilder::LifecyclePolicy, Properties: {{Name: w, ExecutionRole: !GetAtt Role.Arn}}}}
""",
    ),
    good=(
        f"""
Role: {{Type: AWS::IAM::Role, Properties: {{AssumeRolePolicyDocument: {_trust(f"{{Service: {_SERVICE}}}", _SOURCE)}}}}}
End: {{Type: AWS::ImageBuilder::LifecyclePolicy, Properties: {{Name: w, ExecutionRole: !GetAtt Role.Arn}}}}
""",
        "End: {Type: AWS::ImageBuilder::LifecyclePolicy, Properties: {Name: w, ExecutionRole: !ImportValue Role}}",
    ),
)
def service_role_trust(it: Resource) -> Iterator[Problem]:
    """A role that runs workflows or a lifecycle policy is one that Image Builder may take on."""
    place = it.get("ExecutionRole")
    role = it.target(place, ROLE)
    if role is not None:
        yield from _untrusted(place, role, _SERVICE)


@template_rule(
    "CrossAccountRole",
    family=Family.FAILS,
    on=(ROLE,),
    why="Distribution takes this role on as the build account, not as the service: the copy fails.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html",
    bad=(
        _role(_trust(f"{{Service: {_SERVICE}}}", _SOURCE), f", RoleName: {_DISTRIBUTOR}"),
        _role(_trust("{AWS: 'arn:aws:iam::123456789012:root'}"), f", RoleName: {_RETIRER}"),
    ),
    good=(
        _GOOD,
        _role(_trust("{AWS: 'arn:aws:iam::123456789012:root'}"), f", RoleName: {_DISTRIBUTOR}"),
        _role(_trust(f"{{Service: {_SERVICE}}}", _SOURCE), f", RoleName: {_RETIRER}"),
    ),
)
def cross_account_role(it: Resource) -> Iterator[Problem]:
    """The role that receives images trusts the build account; the one that retires them trusts the service."""
    name = it.get("RoleName")
    for statement in statements(it.get("AssumeRolePolicyDocument")):
        services, accounts = principals(statement, "Service"), principals(statement, "AWS")
        if name.text == _DISTRIBUTOR and services:
            yield services[0].problem("is a service", fix="trust the root of the build account")
        elif name.text == _RETIRER and accounts and not services:
            yield accounts[0].problem("is an account", fix=f"trust {_SERVICE} with aws:SourceAccount")


@template_rule(
    "ProfileRoles",
    family=Family.FAILS,
    on=(INSTANCE_PROFILE,),
    why="IAM takes exactly one role.",
    source="https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html",
    bad=("{Roles: []}", "{Roles: [a, b]}", "{InstanceProfileName: build}"),
    good=("{Roles: [build]}", "{Roles: [!Ref Role]}", "{Roles: !Ref Roles}"),
)
def profile_roles(it: Resource) -> Iterator[Problem]:
    """An instance profile holds one role."""
    roles = it.get("Roles")
    if roles.absent or (isinstance(roles.raw, list) and len(roles.raw) != 1):
        yield roles.problem("does not hold one role", got=None, fix="name one role")


def _ingress(it: Resource) -> list[Place]:
    return [it] if it.type == INGRESS else it.get("SecurityGroupIngress").items()


@template_rule(
    "OpenIngress",
    family=Family.LEAKS,
    on=(SECURITY_GROUP, INGRESS),
    why="Everybody may knock where only operators log in.",
    source="https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html",
    bad=(
        """
Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: web}}
Rule: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !GetAtt Group.GroupId, IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0}}
Build:
  Type: AWS::ImageBuilder::InfrastructureConfiguration
  Properties: {Name: w, InstanceProfileName: p, SubnetId: s, SecurityGroupIds: [!GetAtt Group.GroupId]}
""",
        "{SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0}]}",
        "{SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 0, ToPort: 65535, CidrIp: 10.0.0.0/8}, {IpProtocol: '-1', CidrIpv6: '::/0'}]}",
        "{SecurityGroupIngress: [{IpProtocol: '6', FromPort: '3000', ToPort: '4000', CidrIpv6: '::/0'}]}",
        "Rule: {Type: AWS::EC2::SecurityGroupIngress, Properties: {IpProtocol: tcp, FromPort: 5986, ToPort: 5986, CidrIp: 0.0.0.0/0}}",
        """
Group: {Type: AWS::EC2::SecurityGroup, Properties: {SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}]}}
Build:
  Type: AWS::ImageBuilder::InfrastructureConfiguration
  Properties: {Name: w, InstanceProfileName: p, SubnetId: s, SecurityGroupIds: [!GetAtt Group.GroupId]}
""",
    ),
    good=(
        """
Group: {Type: AWS::EC2::SecurityGroup, Properties: {SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}]}}
Build:
  Type: AWS::ImageBuilder::InfrastructureConfiguration
  Properties: {Name: w, InstanceProfileName: p, SubnetId: s, SecurityGroupIds: [!GetAtt Other.GroupId]}
""",
        "{GroupDescription: web}",
        "{SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}]}",
        "{SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 10.0.0.0/8}]}",
        "{SecurityGroupIngress: [{IpProtocol: tcp, FromPort: !Ref P, ToPort: !Ref P, CidrIp: 0.0.0.0/0}]}",
        "{SecurityGroupIngress: [{IpProtocol: icmp, FromPort: 8, ToPort: -1, CidrIp: 0.0.0.0/0}]}",
        "{SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 23, ToPort: 3388, CidrIp: 0.0.0.0/0}]}",
    ),
)
def open_ingress(it: Resource) -> Iterator[Problem]:
    """Nobody reaches a build instance, and not everybody a port for logging in."""
    for rule in _ingress(it):
        source = next((rule.get(key) for key in ("CidrIp", "CidrIpv6") if rule.get(key).text in _WORLD), None)
        if source is None:
            continue
        first, last = rule.get("FromPort").number, rule.get("ToPort").number
        protocol = rule.get("IpProtocol").partial
        known = first is not None and last is not None and protocol in {"tcp", "6"}
        if protocol == "-1" or (known and any(first <= port <= last for port in _LOGINS)):  # type: ignore[operator]
            yield source.problem(
                "lets everybody reach a port for logging in", fix="drop the rule, and use Session Manager"
            )
        elif _builds(it):
            yield source.problem(
                "lets everybody reach a build instance", fix="drop the rule: a build takes no connection"
            )


def _builds(it: Resource) -> bool:
    group = it.get("GroupId").reference if it.type == INGRESS else None
    name = group.logical_id if group else it.logical_id
    used = [place for found in it.template.of_type(INFRASTRUCTURE) for place in found.get("SecurityGroupIds").items()]
    return any(place.mentions(name) for place in used)


@template_rule(
    "OpenKey",
    family=Family.LEAKS,
    on=(KEY,),
    why="Everybody with an AWS account may use the key.",
    source=f"{_KMS}key-policies.html",
    bad=(
        "{EnableKeyRotation: true, KeyPolicy: {Statement: [{Effect: Allow, Principal: '*', Action: 'kms:*', Resource: '*'}]}}",
        "{EnableKeyRotation: true, KeyPolicy: {Statement: {Effect: Allow, Principal: {AWS: '*'}, Action: 'kms:Decrypt', Resource: '*'}}}",
    ),
    good=(
        "{EnableKeyRotation: true}",
        "{EnableKeyRotation: true, KeyPolicy: {Statement: [{Effect: Allow, Principal: {AWS: '*'}, Action: 'kms:*', Resource: '*', "
        "Condition: {StringEquals: {'kms:CallerAccount': !Ref AWS::AccountId}}}]}}",
    ),
)
def open_key(it: Resource) -> Iterator[Problem]:
    """A key's policy says who may use it."""
    for statement in statements(it.get("KeyPolicy")):
        if open_to_all(statement):
            yield statement.get("Principal").problem(
                "lets everybody use the key", fix="name accounts, or add a condition"
            )


@template_rule(
    "KeyRotation",
    family=Family.LEAKS,
    severity=Severity.WARNING,
    on=(KEY,),
    why="What one key has encrypted for years is lost at once with it.",
    source=f"{_KMS}rotate-keys.html",
    bad=("{KeySpec: SYMMETRIC_DEFAULT, Origin: AWS_KMS}", "{Description: golden}", "{EnableKeyRotation: 'false'}"),
    good=(
        "{KeySpec: !Ref Spec}",
        "{EnableKeyRotation: true}",
        "{EnableKeyRotation: !Ref R}",
        "{KeySpec: RSA_2048, KeyUsage: SIGN_VERIFY}",
        "{Origin: EXTERNAL}",
    ),
)
def key_rotation(it: Resource) -> Iterator[Problem]:
    """A key of KMS's own making is rotated every year."""
    rotation = it.get("EnableKeyRotation")
    other = it.get("KeySpec").text not in (None, "SYMMETRIC_DEFAULT") or it.get("Origin").text not in (None, "AWS_KMS")
    if not other and not it.get("KeySpec").unknown and (rotation.absent or rotation.flag is False):
        yield rotation.problem("is not set", got=None, fix="set EnableKeyRotation: true")


@template_rule(
    "KeyWaiting",
    family=Family.FAILS,
    on=(KEY,),
    why="KMS refuses the key.",
    source="https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html",
    bad=("{EnableKeyRotation: true, PendingWindowInDays: 6}", "{EnableKeyRotation: true, PendingWindowInDays: 31}"),
    good=("{EnableKeyRotation: true, PendingWindowInDays: 7}", "{EnableKeyRotation: true, PendingWindowInDays: 30}"),
)
def key_waiting(it: Resource) -> Iterator[Problem]:
    """A key waits 7 to 30 days for its deletion."""
    days = it.get("PendingWindowInDays")
    low, high = _WAITING_DAYS
    if days.number is not None and not low <= days.number <= high:
        yield days.problem("is out of range", fix=f"give {low} to {high} days")


@template_rule(
    "KeyGoesWithStack",
    family=Family.DRIFTS,
    on=(KEY,),
    why="The images that the key encrypts outlive the stack, and nobody can ever start them again.",
    source=f"{_KMS}deleting-keys.html",
    bad=(
        """
Key: {Type: AWS::KMS::Key, Properties: {EnableKeyRotation: true}}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: w, Distributions: [{Region: us-east-1, AmiDistributionConfiguration: {KmsKeyId: !Ref Key}}]}
""",
        """
Key: {Type: AWS::KMS::Key, Properties: {EnableKeyRotation: true}}
Web:
  Type: AWS::ImageBuilder::ImageRecipe
  Properties: {Name: w, BlockDeviceMappings: [{DeviceName: /dev/xvda, Ebs: {Encrypted: true, KmsKeyId: !GetAtt Key.Arn}}]}
""",
    ),
    good=(
        """
Key: {Type: AWS::KMS::Key, DeletionPolicy: Retain, Properties: {EnableKeyRotation: true}}
Web:
  Type: AWS::ImageBuilder::ImageRecipe
  Properties: {Name: w, BlockDeviceMappings: [{DeviceName: /dev/xvda, Ebs: {Encrypted: true, KmsKeyId: !GetAtt Key.Arn}}]}
""",
        "{EnableKeyRotation: true}",
    ),
)
def key_goes_with_stack(it: Resource) -> Iterator[Problem]:
    """A key that encrypts images stays when its stack is deleted."""
    used = [
        *(
            place
            for recipe in it.template.of_type(RECIPE)
            for place in recipe.all("BlockDeviceMappings[].Ebs.KmsKeyId")
        ),
        *(
            place
            for target in it.template.of_type(DISTRIBUTION)
            for place in target.all("Distributions[].AmiDistributionConfiguration.KmsKeyId")
        ),
    ]
    if not it.retained[0] and any(place.mentions(it.logical_id) for place in used):
        yield Problem(
            problem="is not Retain for a key of images", got=None, fix="set DeletionPolicy: Retain", at="DeletionPolicy"
        )


@template_rule(
    "PublicBucket",
    family=Family.LEAKS,
    on=(BUCKET,),
    why="Everybody reads, or changes, what builds take from the bucket or log into it.",
    source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html",
    bad=(
        "{AccessControl: PublicRead}",
        "{PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: 'false'}}",
    ),
    good=(
        "{BucketName: builds}",
        "{AccessControl: Private}",
        "{PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: true}}",
    ),
)
def public_bucket(it: Resource) -> Iterator[Problem]:
    """A bucket is nobody's but the account's."""
    acl = it.get("AccessControl")
    if acl.text in _PUBLIC_ACLS:
        yield acl.problem("lets everybody in", fix="drop it, and grant by policy")
    for key in _BLOCKS:
        place = it.at(f"PublicAccessBlockConfiguration.{key}")
        if place.flag is False:
            yield place.problem("takes the block on public access away", fix=f"set {key}: true")


@template_rule(
    "OpenPolicy",
    family=Family.LEAKS,
    on=(BUCKET_POLICY, TOPIC_POLICY),
    why="Everybody may do it, whoever he is.",
    source=f"{_IAM}reference_policies_elements_principal.html",
    bad=(
        "{Bucket: b, PolicyDocument: {Statement: [{Effect: Allow, Principal: '*', Action: 's3:GetObject', Resource: '*'}]}}",
        "P: {Type: AWS::SNS::TopicPolicy, Properties: {PolicyDocument: {Statement: {Effect: Allow, Principal: {AWS: '*'}, Action: 'sns:Publish'}}}}",
    ),
    good=(
        "{Bucket: b, PolicyDocument: {Statement: [{Effect: Deny, Principal: '*', Action: 's3:*', Resource: '*', "
        "Condition: {Bool: {'aws:SecureTransport': 'false'}}}]}}",
        "{Bucket: b, PolicyDocument: {Statement: [{Effect: Allow, Principal: '*', Action: 's3:GetObject', Resource: '*', "
        "Condition: {StringEquals: {'aws:PrincipalOrgID': o-a1b2c3d4e5}}}]}}",
        "{Bucket: b, PolicyDocument: !Ref Policy}",
    ),
)
def open_policy(it: Resource) -> Iterator[Problem]:
    """A policy of a bucket or topic says whom it lets in."""
    for statement in statements(it.get("PolicyDocument")):
        if open_to_all(statement):
            yield statement.get("Principal").problem(
                "lets everybody in", fix="name accounts or services, or add a condition"
            )


@template_rule(
    "SnapshotsShared",
    family=Family.LEAKS,
    on=(BLOCK_SNAPSHOTS,),
    why="A snapshot of an image can be made public, and with it all that is on the disk.",
    source="https://docs.aws.amazon.com/ebs/latest/userguide/block-public-access-snapshots.html",
    bad=("{State: unblocked}",),
    good=("{State: block-all-sharing}", "{State: block-new-sharing}"),
)
def snapshots_shared(it: Resource) -> Iterator[Problem]:
    """An account blocks the public sharing of snapshots."""
    state = it.get("State")
    if state.text == "unblocked":
        yield state.problem("lets snapshots be public", fix="use block-all-sharing")
