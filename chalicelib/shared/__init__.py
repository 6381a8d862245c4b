"""What all rooms use: errors, clock, ids, paging, JSON models, settings."""
