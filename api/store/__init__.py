"""The store: plans, their lines, jobs, keys and audit in SQL; bulk beside it in files.

SQLite by default, PostgreSQL by URL. `api.store.migration` opens it up to date, `api.store.database` as it is;
`api.store.schema` is the list of its tables.
"""
