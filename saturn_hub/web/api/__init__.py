"""The HTTP API: one class a route, each a few lines onto the engine."""
