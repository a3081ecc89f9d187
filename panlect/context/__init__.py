"""The code around a change that a reviewer should see, ranked, cited, within a budget."""
