"""The `cdk-ami` command: a file a command, loaded when it is asked for."""
