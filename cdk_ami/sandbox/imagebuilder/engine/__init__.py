"""Builds images by calling the sandbox's own EC2, SSM, STS, IAM, SNS, logs and events over HTTP.

``plan`` decides, pure; ``build`` walks the stages in a thread of its own; the others each take one kind of step.
"""
