"""A dataset as a database: what a running service is told, kept beside what was imported.

schema/     the tables, a file per version; schema.py brings a database to the latest one
database.py opening by URL, transactions; sqlite.py and postgres.py: the only files that know one of the two
write.py    calls and outcomes into the store, a transaction per batch
reader.py   what is known of a few people, for an answer; NumPy alone
copies.py   a dataset folder into a store and a store into a folder; transfer.py a store into another one
store.py    the store behind the interface of data/dataset.py
"""
