"""Policies enforced on request: calls made with chosen roles are judged as IAM judges them.

``POST /_sandbox/iam`` with ``{"enforce": [ROLE_ARN, ...]}`` or ``{"enforce": "all-roles"}`` begins, ``DELETE`` ends it.
What the sandbox cannot judge it refuses with the code ``SandboxCannotDecide``, and never guesses.
"""
