"""EC2 Image Builder for the local AWS: its API as botocore describes it, and builds that really walk EC2.

``shapes``, ``arns``, ``documents``, ``workflow_documents``, ``conditions``, ``variables``, ``schedules``,
``retention``, ``findings`` and ``validation`` are pure; ``operations`` hold one function per API operation over the
state in ``models``; ``engine`` builds images and ends them by calling the sandbox itself over HTTP; ``control`` holds
what one can ask beside the API.
"""
