"""What would fail although it synthesized: an app's templates, held against the accounts that they are meant for.

Templates are read as plain JSON, a pure planner turns them into needs, and each check looks whether one kind of need is
met.  Nothing is changed anywhere.
"""
