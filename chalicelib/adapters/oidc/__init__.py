"""Signing in with an OpenID Connect issuer: whom a bearer token proves."""
