"""The HTTP API, one noun a file: thin handlers that check what was sent, call the engine, and reply in JSON.

Each handler method says with `@needs` which permission it asks for and which models check its query and body. The same
words make the OpenAPI document. Nothing is decided here: the engine loads what the person may see, or says that it is not there.
"""
