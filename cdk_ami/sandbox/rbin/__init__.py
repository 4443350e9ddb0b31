"""Recycle Bin: rules that keep deregistered AMIs and deleted snapshots for a while.  What is in the bin, EC2 knows."""
