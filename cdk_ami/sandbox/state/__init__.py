"""Save and load of all that a sandbox holds: ``POST /_sandbox/state`` with ``{"save": PATH}`` or ``{"load": PATH}``.

The file is a Python pickle with a header.  Loading one runs what is in it: load only files that you saved yourself.
"""
