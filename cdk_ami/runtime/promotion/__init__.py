"""The steps of a promotion that Step Functions cannot take by itself: calls to other Regions, and the lock.

``handler`` is the function, ``decide`` is pure, the others take clients and act.  Every step may be repeated.
"""
