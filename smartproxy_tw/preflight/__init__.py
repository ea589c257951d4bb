"""
Whether an order can succeed, looked at before an authority is asked: does the name
lead here, does the challenge's port answer, do the CAA records allow it.

What is seen are values (L{smartproxy_tw.preflight.facts}), what they mean is thought
out apart from looking (L{smartproxy_tw.preflight.judge}, L{smartproxy_tw.preflight.caa}).
Nothing here knows when to look, and what follows from it.
"""
