"""The data plane in front of apps: each app at its own host name, opened to those who may, streamed both ways.

`policy` holds pure functions (what passes, what is ours), `decisions` asks the service and remembers, `proxy` and `sockets`
carry requests, `signin` swaps codes for cookies, `pages` says what a person sees when there is no app to see. The gateway
opens no database and imports nothing of the rest but `errors`: who may pass is the service's to say.
"""
