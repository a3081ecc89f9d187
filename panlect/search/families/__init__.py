"""Which files a module name means, one file a language family."""
