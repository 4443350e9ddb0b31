"""CloudFormation, written anew for the sandbox: templates in, real calls to the sandbox's other services out.

The pure half (``template``, ``intrinsics``, ``parameters``, ``graph``, ``schemas``, ``plan``) decides; ``engine`` acts,
through one handler per resource type in ``resources``.  What is not known is refused by name, so that a green local
deployment means something.
"""
