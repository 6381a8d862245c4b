"""Operations by hand: migrate, create topics, look after the outbox."""
