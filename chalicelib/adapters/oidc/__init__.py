"""Authentication with the bearer tokens of an OpenID Connect issuer."""
