"""A connection that is opened when first needed, and again after an error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pg8000.dbapi

from chalicelib.adapters.postgres.driver import Connection, is_temporary, unavailable


class ReconnectingConnection:
    """Provides one connection at a time; any error closes it, so the next use opens a new one."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        """Open connections with `connect`."""
        self._connect = connect
        self._connection: Connection | None = None

    @contextmanager
    def use(self) -> Iterator[Connection]:
        """Yield the connection.

        Raises:
            errors.Unavailable: in place of the driver's error, if the server or the network
                is to blame.
        """
        try:
            if self._connection is None:
                self._connection = self._connect()
            yield self._connection
        except BaseException as error:
            self.close()
            if is_temporary(error):
                raise unavailable(error) from error
            raise

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield the connection within a transaction that commits at the end."""
        with self.use() as connection:
            connection.execute_simple("begin")
            yield connection
            connection.execute_simple("commit")

    def close(self) -> None:
        """Close the connection; never raises."""
        connection = self._connection
        self._connection = None
        if connection is not None:
            try:
                connection.close()
            except (pg8000.dbapi.Error, OSError):
                return
