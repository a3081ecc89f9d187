"""Models by role: what is asked, who answers, what it may cost, and the record of it."""
