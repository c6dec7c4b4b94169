"""What all reproduced papers share: the cache, the study, the formats of tables, the page."""
