"""Alembic's environment: runs revisions on the connection that `controller.storage.migrate` gives.

Alembic executes this file by path; nothing imports it.
"""

from alembic import context

from controller.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
