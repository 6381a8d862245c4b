"""Runs the migrations on the connection of `infra.ops.migrate`, each in a transaction."""

from alembic import context

with context.config.attributes["connection"].connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
