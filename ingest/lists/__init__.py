"""Lists of articles in documents that are not feeds: pages of headlines, and JSON behind or inside of pages. Pure."""
