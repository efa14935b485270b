"""Use cases and loops. One module a noun; each use case writes state, audit, event and usage in one transaction."""
