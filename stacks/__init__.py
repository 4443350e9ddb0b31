"""Deployable stacks, composed from the constructs of `cdk_ami`.

The stacks take no ids from each other: a channel is all that joins an image to its fleets.
"""
