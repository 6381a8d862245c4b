"""What every room uses: errors, clock, ids, paging, the base of JSON models, how a setting is declared."""
