"""
Certificates by RFC 8555: the words on the wire, the life of an order, the
proofs, and when to ask.
"""
