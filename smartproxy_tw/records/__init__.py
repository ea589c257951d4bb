"""
Records that prove names, put into the DNS and taken away again (RFC 8555 section
8.4): each way to do that provides L{IRecords<smartproxy_tw.interfaces.IRecords>}.

What comes from the DNS is read by dnspython, which is an extra and imported with
the first question; the bytes are moved by the reactor, and nothing waits in a
thread.
"""
