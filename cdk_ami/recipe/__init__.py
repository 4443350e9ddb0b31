"""What is baked into an image: component documents and volumes."""
