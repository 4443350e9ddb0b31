"""The rules over whole templates: plain CloudFormation in, findings out, whoever wrote it.

``loading`` reads JSON and YAML, ``values`` says what its functions mean as far as that can be known, ``places`` walks
the result, ``registry`` holds what a rule over templates is, ``subjects`` the rules, a module for each subject, and
``engine`` runs them all.  Nothing here knows the CDK or calls AWS.
"""
