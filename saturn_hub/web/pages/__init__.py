"""The pages: handlers that ask the engine and render a template."""
