"""What a repository is, in words: file -> directory -> repository, each made once for its content."""
