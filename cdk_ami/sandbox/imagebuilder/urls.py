"""Paths of the service, taken from botocore's model."""

from __future__ import annotations

import re

from cdk_ami.sandbox.imagebuilder.responses import ImageBuilderResponse
from cdk_ami.sandbox.service_models import service_model

_MODEL = service_model("imagebuilder")

url_bases = [r"https?://imagebuilder\.(.+)\.amazonaws\.com"]

url_paths = {
    "{0}" + re.sub(r"\{([^}]+)\}", r"(?P<\1>.+)", path) + "$": ImageBuilderResponse.dispatch
    for path in sorted({_MODEL.operation_model(name).http["requestUri"] for name in _MODEL.operation_names})
}
