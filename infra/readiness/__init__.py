"""Whether a deployment is ready for production: each check asks the running system, and names its remedy."""
