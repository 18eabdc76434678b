"""From a match to the mail: the outbox, who is due, mails and how they are sent, what readers answer."""
