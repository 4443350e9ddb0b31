"""How an image is built: environment, triggers, pipeline, events."""
