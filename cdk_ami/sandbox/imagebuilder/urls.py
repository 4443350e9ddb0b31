"""Paths of the service, taken from botocore's model."""

from __future__ import annotations

import re

from cdk_ami.sandbox.imagebuilder.responses import ImageBuilderResponse
from cdk_ami.sandbox.imagebuilder.shapes import service_model

url_bases = [r"https?://imagebuilder\.(.+)\.amazonaws\.com"]

url_paths = {
    "{0}" + re.sub(r"\{([^}]+)\}", r"(?P<\1>.+)", path) + "$": ImageBuilderResponse.dispatch
    for path in sorted(
        {service_model().operation_model(name).http["requestUri"] for name in service_model().operation_names}
    )
}
