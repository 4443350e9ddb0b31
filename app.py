"""The CDK app: the only reader of the environment and of the settings file."""

import os
import sys
from pathlib import Path

import aws_cdk as cdk

from cdk_ami import ConfigError
from cdk_ami.settings import SETTINGS_FILE, load
from stacks.app_stacks import add_stacks, add_target_account_stack

app = cdk.App()
try:
    path = Path(os.environ.get("CDK_AMI_SETTINGS", Path(__file__).with_name(SETTINGS_FILE)))
    settings = load(path, side=os.environ.get("CDK_AMI_SIDE"))
    if settings.side == "receive":
        add_target_account_stack(app, settings)
    else:
        add_stacks(app, settings, account=settings.account or os.environ.get("CDK_DEFAULT_ACCOUNT"))
except ConfigError as error:
    sys.exit(str(error))  # the message says it all; a traceback would hide it
app.synth()
