"""Packaging for AWS, and the templates."""
