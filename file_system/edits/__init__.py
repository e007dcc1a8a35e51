"""A model's answer as edits of files: whole files, search/replace blocks, definitions."""
