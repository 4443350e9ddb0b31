"""Step Functions: an interpreter of the Amazon States Language, with JSONPath, that waits for the sandbox's clock.

It is ours altogether (``docs/decisions/0012-our-own-step-functions.md``).  ``definition`` says what is valid,
``states`` runs a machine, ``tasks`` and ``sdk`` call the services of the sandbox by the machine's role.
"""
