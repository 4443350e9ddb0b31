"""Paths of the service."""

from __future__ import annotations

from cdk_ami.sandbox.rbin.responses import RecycleBinResponse

url_bases = [r"https?://rbin\.(.+)\.amazonaws\.com"]

url_paths = {
    f"{{0}}{path}$": RecycleBinResponse.dispatch
    for path in (
        "/rules",
        "/rules/(?P<identifier>[^/]+)",
        "/rules/(?P<identifier>[^/]+)/lock",
        "/rules/(?P<identifier>[^/]+)/unlock",
        "/list-rules",
        "/tags/(?P<resourceArn>.+)",
    )
}
