"""How Alembic runs the migrations: on the connection that `infra.ops.migrate` hands over, one transaction each."""

from alembic import context

with context.config.attributes["connection"].connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
