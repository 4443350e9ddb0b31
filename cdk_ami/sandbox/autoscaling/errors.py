"""Refusals in Auto Scaling's form."""

from __future__ import annotations

from moto.autoscaling.exceptions import AutoscalingClientError


class LaunchError(Exception):
    """An instance that could not be launched."""


def refuse(message: str, code: str = "ValidationError") -> AutoscalingClientError:
    """Return the error to raise."""
    return AutoscalingClientError(code, message)
