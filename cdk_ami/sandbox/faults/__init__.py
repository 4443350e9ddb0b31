"""Faults on request: what goes wrong in AWS, made to go wrong here.

``POST /_sandbox/faults`` with a fault in JSON causes it, ``GET`` tells which there are and how often each struck,
``DELETE`` ends one by its ``id``, or all.
"""
