"""The CDK app: the only reader of the environment and of the settings file."""

import os
from pathlib import Path

import aws_cdk as cdk

from cdk_ami.settings import SETTINGS_FILE, load
from stacks.app_stacks import add_stacks

settings = load(Path(os.environ.get("CDK_AMI_SETTINGS", Path(__file__).with_name(SETTINGS_FILE))))
app = cdk.App()
add_stacks(app, settings, account=settings.account or os.environ.get("CDK_DEFAULT_ACCOUNT"))
app.synth()
