"""
Text to one frozen L{Config<smartproxy_tw.config.model.Config>}: what can be
written (the schema), how it is read with lines and columns, what it means, and
every mistake in it at once.

Nothing here knows Twisted or opens a socket.
"""
