"""
What bounds a question to somebody else, whoever asks it: how long it may take, how much may
come back, who is believed, and what can be read.
"""
