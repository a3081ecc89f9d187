"""Running the whole: start, stop, profiles, the sandbox forge."""
