"""Operations: what becomes of an alert."""
