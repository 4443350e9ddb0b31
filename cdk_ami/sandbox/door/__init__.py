"""The door of the sandbox: every request to a service comes in here, is read as far as needed, noted, and let through.

Faults that somebody asked for and policies that somebody wants enforced act here, before a service hears of a request.
"""
