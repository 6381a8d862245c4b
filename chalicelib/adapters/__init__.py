"""The adapters: implementations of the rooms' ports. Only `bootstrap` imports them."""
