"""The OpenAPI document, generated from the routes, their operations and the models."""
