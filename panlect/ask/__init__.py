"""Questions over the code, answered from what was really read."""
