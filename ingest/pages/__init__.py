"""From the page of an article to its title, text, authors and dates."""
