"""The part that runs inside JupyterHub's own process: who a person is, and how their server starts."""
