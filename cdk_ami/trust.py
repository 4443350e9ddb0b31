"""Who may take a role: trust policies, as plain documents."""

from __future__ import annotations

from typing import Any, Final

INSTANCES: Final[dict[str, Any]] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}],
}
"""Instances take the role.  EC2 sends no source account to compare.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html"""
