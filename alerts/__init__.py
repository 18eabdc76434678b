"""From saved searches to e-mail: what a batch matches, what is owed to whom, and the mails that tell it."""
