"""Rules over the commands that a build or a first boot runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cdk_ami.checks.rule import Problem, rule
from cdk_ami.checks.secrets import looks_secret
from cdk_ami.checks.shape import short
from cdk_ami.limits import OVERRIDE_USER_DATA_MAX_CHARS as OVERRIDE_MAX_CHARS

_SUPPLY: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/security-best-practices.html"
_DOWNLOAD: Final = (
    "https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-action-modules.html#action-modules-webdownload"
)
_CLIENT: Final = (
    r"(?:\bcurl\b|\bwget\b|Invoke-WebRequest|Invoke-RestMethod|\biwr\b|\birm\b"
    r"|Start-BitsTransfer|DownloadFile|DownloadString)"
)
# What never leaves the machine, and the endpoint of the container agent.
_LOCAL: Final = r"(?:localhost|127\.|169\.254\.|\[::1\]|\[fd00:|0\.0\.0\.0)"
_PLAIN_URL: Final = rf"http://(?!{_LOCAL})[^\s\"'`;|&)]+"
_PIPED: Final = (
    r"\|\s*(?:sudo\s+(?:-\S+\s+)*)?(?:/(?:usr/)?bin/)?(?:ba|da|z|k)?sh\b|\|\s*(?:sudo\s+)?(?:python3?|perl|iex)\b"
)
_EVALUATED: Final = r"(?:\biex\b|Invoke-Expression|(?:ba|z)?sh\s+-c\s+[\"']?\$\(|(?:ba|z)?sh\s+<\()"
_SAVED: Final = (
    r"(?:\s-[a-zA-Z]*[oO]\b|\s--output\b|\s--remote-name\b|-OutFile\b|\bwget\b|Start-BitsTransfer|DownloadFile"
    r"|\|\s*(?:sudo\s+)?(?:tar|bsdtar|gunzip|cpio)\b|\s>\s*\S)"
)
_VERIFIED: Final = (
    r"(?i)sha(?:1|224|256|384|512)sum|shasum|md5sum|b2sum|cksum|gpgv?\b|cosign|minisign|Get-FileHash"
    r"|Get-AuthenticodeSignature|rpm\s+(?:-K|--checksig|--import)|dpkg-sig|openssl\s+dgst|signed-by|apt-key"
    r"|checksum|sha256"
)
_MAYBE_UNCHECKED: Final = r"curl|wget|Certificate"
_UNCHECKED: Final = (
    r"\bcurl\b[^\n]*?\s(?:--insecure\b|-[a-zA-Z]*k[a-zA-Z]*\s)|\bwget\b[^\n]*?--no-check-certificate"
    r"|SkipCertificateCheck|ServerCertificateValidationCallback\s*=\s*\{\s*\$true"
)
_URL: Final = r"https?://\S"
_FROM_AWS: Final = (
    r"https://(?:awscli\.amazonaws\.com/|amazoncloudwatch-agent|amazon-ssm-|aws-codedeploy-"
    r"|s3[a-z0-9.-]*\.amazonaws\.com(?:\.cn)?/(?:ec2-downloads|amazon-ssm|amazoncloudwatch|aws-codedeploy|cloudformation-examples))"
)
"""Where AWS itself publishes what an image commonly holds: https names the other end."""
_LINES: Final = r"\\\n|`\n"
_INSTALLS: Final = r"\b(?:apt-get|apt|aptitude|yum|dnf|microdnf|zypper)\b(?P<rest>[^\n;&|]*)"
_VERBS: Final = (
    r"\s(?:install|upgrade|update|dist-upgrade|full-upgrade|remove|purge|autoremove"
    r"|groupinstall|localinstall|reinstall)\b"
)
_ASSUMED: Final = (
    r"(?:^|\s)(?:-[a-zA-Z]*y[a-zA-Z]*|--yes|--assume-yes|--assumeyes|--non-interactive|-qq|--assumeno"
    r"|--download-only|--setopt=assumeyes=\S+)(?:\s|$)"
)
_OWN_ASSUMPTION: Final = r"assumeyes\s*=\s*(?:1|True|yes)|Assume-Yes|yes\s*\|"
_DESCRIBES: Final = r"describe-images\b(?P<rest>(?:[^\n;&|)]|\\\n)*)"
_LOGIN: Final = r"(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S+)\s+AAAA[A-Za-z0-9+/=]{20,}"


def from_aws(text: str) -> bool:
    """Tell whether a text holds the address of something that AWS itself publishes."""
    return re.search(_FROM_AWS, text) is not None


def _continued(text: str) -> str:
    return re.sub(_LINES, " ", text)


@rule("PlainHttp", source=_SUPPLY)
def plain_http(text: str) -> Iterator[Problem]:
    """What a build downloads comes over https, whose other end is known."""
    for line in _continued(text).splitlines() if "http://" in text else ():
        found = re.search(_PLAIN_URL, line)
        if found and re.search(_CLIENT, line) and not line.lstrip().startswith("#"):
            yield Problem(
                problem="downloads over http, where anybody on the way can put something else",
                got=found[0],
                fix="use https, and verify a checksum",
            )


@rule("UnverifiedDownload", source=_DOWNLOAD)
def unverified_download(text: str) -> Iterator[Problem]:
    """What a build downloads is verified before it is run or unpacked."""
    taken = [line for line in _continued(text).splitlines() if _takes(line)] if "http" in text else []
    for line in taken if taken and not re.search(_VERIFIED, text) else ():
        yield Problem(
            problem="downloads something and verifies nothing",
            got=short(line.strip()),
            fix="compare a checksum (sha256sum -c) or a signature before it is used",
        )


def _takes(line: str) -> bool:
    """Tell whether a line runs, unpacks or keeps something from a server that is not AWS's own."""
    if line.lstrip().startswith("#") or not re.search(_CLIENT, line) or not re.search(_URL, line):
        return False
    if re.search(rf"https?://{_LOCAL}", line) or from_aws(line):
        return False
    return any(re.search(pattern, line) for pattern in (_PIPED, _EVALUATED, _SAVED))


@rule("CertificateIgnored", source=_SUPPLY)
def certificate_ignored(text: str) -> Iterator[Problem]:
    """A download checks whom it talks to."""
    for line in _continued(text).splitlines() if re.search(_MAYBE_UNCHECKED, text) else ():
        if re.search(_UNCHECKED, f"{line} ") and not line.lstrip().startswith("#"):
            yield Problem(
                problem="ignores the certificate of the other end",
                got=short(line.strip()),
                fix="drop the option, and install the authority that signs the certificate",
            )


@rule(
    "InteractiveInstall",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/troubleshooting.html",
)
def interactive_install(text: str) -> Iterator[Problem]:
    """A package manager asks nothing, for nobody answers in a build."""
    if not re.search(_INSTALLS, text) or re.search(_OWN_ASSUMPTION, text):
        return
    for line in _continued(text).splitlines():
        if line.lstrip().startswith("#"):
            continue
        for found in re.finditer(_INSTALLS, line):
            verb = re.search(_VERBS, found["rest"])
            updates = verb is not None and verb[0].strip() == "update" and found[0].startswith("apt")
            if verb and not updates and not re.search(_ASSUMED, found["rest"]):
                yield Problem(problem="waits for an answer that nobody gives", got=found[0].strip(), fix="add -y")


@rule("LookupWithoutOwner", source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html")
def lookup_in_commands(text: str) -> Iterator[Problem]:
    """A command that looks for an AMI says whose: anybody can publish one under any name."""
    for found in re.finditer(_DESCRIBES, text):
        rest = found["rest"]
        if not re.search(r"--owners?\b|--image-ids?\b|owner-(?:id|alias)", rest):
            yield Problem(
                problem="looks for an AMI of any owner",
                got=found[0].strip(),
                fix="add --owners with the account that publishes it",
            )


@rule("LoginBaked", source="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/building-shared-amis.html")
def login_baked(text: str) -> Iterator[Problem]:
    """An image holds nobody's key: every instance made from it would let them in."""
    found = re.search(_LOGIN, text)
    if found:
        yield Problem(problem="writes somebody's SSH key", got=f"{found[0][:24]}...", fix="use Session Manager instead")


@rule("SecretInUserData", source="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html")
def secret_in_user_data(text: str) -> Iterator[Problem]:
    """User data holds no secret: whoever may describe the instance, and whatever runs on it, reads it."""
    for line in text.splitlines():
        found = looks_secret(line)
        if found:
            # The value itself would go to the terminal and to the logs of CI.
            yield Problem(
                problem=f"holds {found}", got="***", fix="read it from Secrets Manager when the instance starts"
            )
            return
    if looks_secret(text):
        yield Problem(problem=f"holds {looks_secret(text)}", got="***", fix="read it when the instance starts")


@rule(
    "OverrideUserDataSize",
    source="https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_AdditionalInstanceConfiguration.html",
)
def override_user_data(encoded: str) -> Iterator[Problem]:
    """User data of a build instance has at most 21,847 characters as base64."""
    if len(encoded) > OVERRIDE_MAX_CHARS:
        yield Problem(
            problem=f"has {len(encoded):,} characters", got=len(encoded), fix=f"keep it within {OVERRIDE_MAX_CHARS:,}"
        )
