"""Operations: logging and readiness, for operators."""
