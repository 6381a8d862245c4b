"""Is a deployment ready for production? Each check asks it, and names a remedy."""
