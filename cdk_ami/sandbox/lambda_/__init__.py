"""Lambda functions that run: a Python handler in a child process, its calls answered by the sandbox.

The emulator keeps functions, versions, aliases, layers and permissions; it would run them in containers.  Here they run
in this machine's Python, whatever version the runtime names, with boto3 as this environment has it.
"""

from cdk_ami.sandbox.lambda_.mends import install

__all__ = ["install"]
