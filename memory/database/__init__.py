"""The database itself: connections, the schema, migrations, what went wrong with it."""
