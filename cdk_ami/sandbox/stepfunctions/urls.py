"""Where the service is reached."""

from __future__ import annotations

from cdk_ami.sandbox.stepfunctions.responses import StepFunctionsResponse

url_bases = [r"https?://(?:sync-)?states\.(.+)\.amazonaws\.com"]

url_paths = {"{0}/$": StepFunctionsResponse.dispatch}
