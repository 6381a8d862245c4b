"""What the product runs on: the cloud, the local stack, and the tools that operate it."""
