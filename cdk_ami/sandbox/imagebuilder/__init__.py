"""EC2 Image Builder for the local AWS: its API as botocore describes it, and builds that really walk EC2.

``shapes``, ``arns``, ``documents``, ``schedules`` and ``validation`` are pure; ``operations`` hold one function per API
operation over the state in ``models``; ``engine`` builds images by calling the sandbox itself over HTTP.
"""
