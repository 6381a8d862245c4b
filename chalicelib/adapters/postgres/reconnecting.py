"""A connection that is opened when first needed, and again after an error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pg8000.dbapi

from chalicelib.adapters.postgres.driver import Connection, is_temporary, unavailable
from chalicelib.shared.errors import AetherLinkError


class ReconnectingConnection:
    """Provides one connection at a time.

    An error closes the connection, so that the next use opens a new one. A refusal, which is
    the answer to the caller and no fault of the connection, only rolls back.
    """

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
            if not (_is_refusal(error) and self._roll_back()):
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

    def _roll_back(self) -> bool:
        """Roll back, and return whether that succeeded."""
        if self._connection is None:
            return False
        try:
            self._connection.rollback()
        except (pg8000.dbapi.Error, OSError, EOFError):
            return False
        return True

    def close(self) -> None:
        """Close the connection; never raises."""
        connection = self._connection
        self._connection = None
        if connection is not None:
            try:
                connection.close()
            except (pg8000.dbapi.Error, OSError):
                return


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, AetherLinkError) and error.status < 500
