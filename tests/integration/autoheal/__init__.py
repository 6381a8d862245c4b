"""The healer over HTTP, on real services."""
