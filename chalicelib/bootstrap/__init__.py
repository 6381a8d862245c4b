"""The composition root: it alone imports adapters, and passes them to the rooms.

A process has one container, made from the environment when it is first needed. A test makes
its own and installs it with `use`, and replaces any part of it by assigning a fake:
`container.access.tenant_rate = fake`.
"""

from chalicelib.bootstrap.container import Container

__all__ = ["Container", "container", "use"]

_installed: Container | None = None


def container() -> Container:
    """Return this process's container.

    Raises:
        errors.Misconfigured: a setting cannot be read.
    """
    global _installed
    if _installed is None:
        _installed = Container.from_env()
    return _installed


def use(replacement: Container | None) -> Container | None:
    """Install `replacement` (None: none), and return the container that was installed before."""
    global _installed
    before = _installed
    _installed = replacement
    return before
