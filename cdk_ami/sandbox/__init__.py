"""A local AWS for laptops and CI: the `moto` emulator, extended from outside where an AMI's life needs more.

One folder per service that is ours or that is mended; ``emulator`` joins them to moto, ``server`` serves them.
"""
