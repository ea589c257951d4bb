"""
What bounds a question to somebody else, whoever asks it: how long it may take, how much may
come back, and who is believed.
"""
