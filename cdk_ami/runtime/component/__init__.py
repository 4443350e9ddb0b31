"""Runs component documents where one says: in a container, a root directory, or on this machine.

``plan``, ``expressions``, ``loops``, ``conditions``, ``outcome`` and ``junit`` decide, pure; ``place`` and its three
kinds say where; ``actions`` do, each by processes in the place; ``runner`` walks.
"""
