"""What a reference means, from the text around it to the files that pass a name on; `search/resolve.py` asks."""
