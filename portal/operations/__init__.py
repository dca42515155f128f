"""Operations: what the people who run the portal read and watch."""
