"""The page: which content paths convert, for people without Python."""
