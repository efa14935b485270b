"""The database and kept files. Rows go in and come out as plain mappings; no decision is made here."""
