"""The database's history: numbered revisions, written by hand, never changed once released.

A revision must leave running tasks alone: add columns with a default, fill, and only then demand. `SCHEMA_REVISION` in
`memory/database/schema.py` names the newest. All missing revisions run in one transaction on both databases.
"""
