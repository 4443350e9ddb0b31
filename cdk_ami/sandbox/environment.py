"""The environment that points every AWS tool at the sandbox and at nothing else."""

from __future__ import annotations

import os


def variables(endpoint: str, *, region: str = "us-east-1") -> dict[str, str]:
    """Return the variables that make the CDK command line, boto3 and the AWS command line use ``endpoint``.

    Keys are dummies, the metadata address is off, and configuration files are pointed at nothing, so that no real
    account can be reached by mistake.  Proxies, which some networks set for every program, are passed by.
    """
    direct = ",".join(filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1,localhost")))
    return {
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_SESSION_TOKEN": "sandbox",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_PAGER": "",
        "NO_PROXY": direct,
        "no_proxy": direct,
        "CDK_DEFAULT_ACCOUNT": "123456789012",
        "CDK_DEFAULT_REGION": region,
        "CDK_DISABLE_VERSION_CHECK": "1",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        # The tools work on Node 18 and 20 as well; their banners would drown what they say.
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "18,20",
        "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true",
    }
