"""From feeds to articles: fetch, parse, read the page, extract, assemble; and when to poll a feed again."""
