"""How EC2 refuses a request."""

from __future__ import annotations

from moto.ec2.exceptions import EC2ClientError


def refusal(code: str, message: str) -> EC2ClientError:
    """Return the error to raise.  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html."""
    return EC2ClientError(code, message)
