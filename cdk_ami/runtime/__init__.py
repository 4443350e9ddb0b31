"""Steps against AWS, on boto3 alone: each takes its clients first, decides nothing, and can be repeated."""
