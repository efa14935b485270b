"""The service: HTTP at the edge. Parses, asks the engine, renders. `python -m saturn_hub.web` runs it."""
